//! The material: what a suite or flags name, read and checked before anything is measured.

use yardstick_api::Known;
use yardstick_record::{Data, Test};

use super::data::{hash, read};
use super::questions::{Choice, Question, Set};
use super::{BUILT_IN, Error};

/// In place of a text: the made-up token ids of a verification, for weights that are random and have no tokenizer.
pub const MADE_UP: &str = "made-up";
/// Tokens of the longest answer, unless said otherwise.
const MOST_TOKENS: usize = 256;
/// Positions for begin and end of text, and for the token that ends an answer.
const ENDS: usize = 4;

/// What tests of quality are asked on, as a suite and flags say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// A file, [`BUILT_IN`] or [`MADE_UP`].
    pub text: Option<String>,
    /// A file of questions with choices.
    pub choice: Option<String>,
    /// A file of questions answered with text.
    pub generation: Option<String>,
    /// A file of a user's own prompts.
    pub prompts: Option<String>,
    /// The weights whose answers count as right: a format for presets, or a model.
    pub reference: Option<String>,
    /// Windows of the text that are scored, all unless said.
    pub windows: Option<u32>,
    /// Tokens of the longest answer.
    pub most_tokens: Option<u32>,
    /// Random weights are scored as well, though it says nothing about quality.
    pub insist: bool,
}

/// What is asked, as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Material {
    /// The text.
    pub text: Option<Text>,
    pub(crate) choice: Option<Set<Choice>>,
    pub(crate) generation: Option<Set<Question>>,
    pub(crate) prompts: Option<Set<Question>>,
    /// Windows of the text that are scored at most.
    pub(crate) windows: usize,
    /// Tokens of the longest answer.
    pub(crate) most_tokens: usize,
    /// Random weights are scored as well.
    pub(crate) insist: bool,
}

/// A text with its description.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// `None`: the made-up tokens.
    pub(crate) text: Option<String>,
    pub(crate) data: Data,
}

impl Text {
    /// The text; none of made-up tokens.
    pub fn words(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl Material {
    /// Reads what these tests are asked on, and nothing else.
    pub fn read(asked: &Asked, tests: &[Test]) -> Result<Material, Error> {
        let needs = |test: Test| tests.contains(&test);
        let text = match tests.iter().any(|test| test.reads_text()) {
            true => Some(text(asked)?),
            false => None,
        };
        Ok(Material {
            text,
            choice: Set::of(needs(Test::Choice), "choice", asked.choice.as_deref())?,
            generation: Set::of(
                needs(Test::Generation),
                "generation",
                asked.generation.as_deref(),
            )?
            .map(Set::judged)
            .transpose()?,
            prompts: Set::of(needs(Test::Prompts), "prompts", asked.prompts.as_deref())?,
            windows: asked.windows.map_or(usize::MAX, |n| n as usize),
            most_tokens: asked.most_tokens.map_or(MOST_TOKENS, |n| n as usize),
            insist: asked.insist,
        })
    }

    /// The description of what a test is asked on.
    pub fn data(&self, test: Test) -> Option<&Data> {
        match test {
            Test::Choice => self.choice.as_ref().map(|set| &set.data),
            Test::Generation => self.generation.as_ref().map(|set| &set.data),
            Test::Prompts => self.prompts.as_ref().map(|set| &set.data),
            test if test.reads_text() => self.text.as_ref().map(|text| &text.data),
            _ => None,
        }
    }

    /// The hash of all that decides what is asked.
    pub(crate) fn identity(&self, test: Test) -> Option<String> {
        let data = self.data(test)?;
        let bound = if test.reads_text() { self.windows } else { self.most_tokens };
        Some(hash(format!("{} {bound}", data.sha256).as_bytes()))
    }

    /// Positions that a test's longest question and its answer take at most: a token is a byte or more.
    pub(crate) fn room(&self, test: Test) -> usize {
        let asked = |set: &Option<Set<Question>>| {
            set.as_ref().map_or(0, |set| set.longest(|question| question.prompt.len()))
        };
        match test {
            Test::Choice => self.choice.as_ref().map_or(0, |set| set.longest(Choice::bytes) + ENDS),
            Test::Generation => asked(&self.generation) + self.most_tokens + ENDS,
            Test::Prompts => asked(&self.prompts) + self.most_tokens + ENDS,
            test => test.positions(),
        }
    }
}

fn text(asked: &Asked) -> Result<Text, Error> {
    match asked.text.as_deref().unwrap_or(BUILT_IN) {
        MADE_UP if !asked.insist => {
            let message = "made-up token ids say nothing about quality; they are for random weights, with --insist";
            Err(Error::new("text", message.to_owned()))
        }
        MADE_UP => Ok(Text { text: None, data: made_up() }),
        name => {
            let (text, data) = read(name)?;
            Ok(Text { text: Some(text), data })
        }
    }
}

fn made_up() -> Data {
    let none = || Known::unavailable("token ids made up from the size of the vocabulary");
    Data {
        name: MADE_UP.to_owned(),
        sha256: hash(MADE_UP.as_bytes()),
        bytes: 0,
        source: none(),
        licence: none(),
        date: none(),
    }
}
