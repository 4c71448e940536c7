//! Questions, a JSON object a line: with choices, with text for an answer, or a user's own prompts.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use yardstick_record::Data;

use super::Error;
use super::check::Check;
use super::data::read;

/// More questions than anyone waits for.
const MOST_QUESTIONS: usize = 100_000;

/// Questions of one file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Set<Q> {
    pub(crate) data: Data,
    /// Never empty.
    pub(crate) questions: Vec<Q>,
}

/// A question with choices.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) task: Option<String>,
    /// What goes before each choice, word for word.
    pub(crate) question: String,
    /// What is weighed after it, word for word.
    pub(crate) choices: Vec<String>,
    /// The index of the right one, from 0.
    pub(crate) answer: usize,
}

/// A question whose answer is text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) task: Option<String>,
    /// What the model is given, word for word.
    pub(crate) prompt: String,
    /// The answer ends before the first of these.
    #[serde(default)]
    pub(crate) stop: Vec<String>,
    /// Right when the last number of the answer is this one's.
    #[serde(default)]
    pub(crate) number: Option<String>,
    /// Right when the answer is this, but for white space around it.
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// Right when this regular expression is found in the answer.
    #[serde(default)]
    pub(crate) regex: Option<String>,
    /// Right when the answer is JSON that this JSON Schema admits.
    #[serde(default)]
    pub(crate) schema: Option<serde_json::Value>,
    /// Right when the answer says that there is none.
    #[serde(default)]
    pub(crate) unanswerable: bool,
}

impl<Q: Line> Set<Q> {
    /// The questions of a file, where a test needs them.
    pub(super) fn of(
        needed: bool,
        test: &str,
        file: Option<&str>,
    ) -> Result<Option<Set<Q>>, Error> {
        match (needed, file) {
            (false, _) => Ok(None),
            (true, Some(file)) => {
                let (text, data) = read(file)?;
                Ok(Some(Set { questions: lines(file, &text)?, data }))
            }
            (true, None) => {
                let message = format!(
                    "needs a file of questions: --{test} FILE, or {test} = \"FILE\" under [quality]"
                );
                Err(Error::new(test, message))
            }
        }
    }
}

impl<Q> Set<Q> {
    /// The largest of a measure of the questions.
    pub(super) fn longest(&self, measure: impl Fn(&Q) -> usize) -> usize {
        self.questions.iter().map(measure).max().unwrap_or(0)
    }
}

/// A line that parsed may still be one that cannot be asked.
pub(crate) trait Line: DeserializeOwned {
    fn check(&self) -> Result<(), String>;
}

impl Line for Choice {
    fn check(&self) -> Result<(), String> {
        let n = self.choices.len();
        if n < 2 {
            return Err(format!("found {n} choices, expected 2 or more"));
        }
        if self.answer >= n {
            return Err(format!(
                "found answer {}, expected the index of a choice, 0 to {}",
                self.answer,
                n - 1
            ));
        }
        match self.question.is_empty() || self.choices.iter().any(String::is_empty) {
            true => Err("found an empty question or choice, expected text".to_owned()),
            false => Ok(()),
        }
    }
}

impl Choice {
    /// Bytes of the question with its longest choice.
    pub(crate) fn bytes(&self) -> usize {
        self.question.len() + self.choices.iter().map(String::len).max().unwrap_or(0)
    }
}

impl Line for Question {
    fn check(&self) -> Result<(), String> {
        if self.prompt.is_empty() {
            return Err("found an empty prompt, expected text".to_owned());
        }
        if self.stop.iter().any(String::is_empty) {
            return Err("found an empty stop, which would end every answer at once".to_owned());
        }
        Check::of(self).map(drop)
    }
}

impl Set<Question> {
    /// Each question says what would be right; prompts need not.
    pub(super) fn judged(self) -> Result<Set<Question>, Error> {
        let missing = |question: &Question| matches!(Check::of(question), Ok(None));
        match self.questions.iter().position(missing) {
            Some(at) => {
                let message = format!(
                    "question {} has none of number, text, regex, schema and unanswerable",
                    at + 1
                );
                Err(Error::new(&self.data.name, message))
            }
            None => Ok(self),
        }
    }
}

fn lines<Q: Line>(file: &str, text: &str) -> Result<Vec<Q>, Error> {
    let mut questions = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{file} line {}", i + 1);
        let question: Q = serde_json::from_str(line).map_err(|error| {
            Error::new(&place, error.to_string().replace(" at line 1 column ", " at column "))
        })?;
        question.check().map_err(|message| Error::new(&place, message))?;
        if questions.len() == MOST_QUESTIONS {
            return Err(Error::new(&place, format!("expected at most {MOST_QUESTIONS} questions")));
        }
        questions.push(question);
    }
    Ok(questions)
}
