//! Questions with choices: each choice is weighed by its log-likelihood after the question; per byte, and plain.

use yardstick_api::Token;
use yardstick_model::Gguf;
use yardstick_model::tokenizer::{Encoding, Tokenizer};
use yardstick_record::{Answered, Metric, Quality};

use super::rows::{Rows, Wanted};
use super::{Measuring, Trouble};
use crate::child::Child;
use crate::quality::distribution::log_likelihood;
use crate::quality::questions::Choice;
use crate::quality::sums::{NOT_FINITE, share};

const METHOD: &str = "the log-likelihood of each choice after the question, word for word; right where that of the answer is the \
    highest, per byte of the choice (accuracy), or plain";

/// A question's tokens, and those of each choice after it.
struct Tokens {
    context: usize,
    /// Question and choice in one, as the tokenizer joins them.
    whole: Vec<Vec<Token>>,
}

impl Measuring<'_, '_, '_> {
    pub(super) fn score_choices(&mut self, child: &mut Child) -> Result<Quality, Trouble> {
        let set = self.run.plan.material.choice.as_ref();
        let set = set.ok_or_else(|| Trouble::failed("no questions are named"))?;
        let tokenizer = self.tokenizer()?;
        let mut answers = Vec::new();
        for (index, question) in set.questions.iter().enumerate() {
            self.go_on(index, set.questions.len())?;
            let id = question.id.clone().unwrap_or_else(|| format!("{}", index + 1));
            let weights =
                self.weigh(child, &tokenizer, question).map_err(|trouble| trouble.of(&id))?;
            answers.push(judge(question, id, &weights));
        }
        let n = answers.len() as u64;
        let hits = |right: fn(&Answered) -> Option<bool>| {
            answers.iter().filter(|answer| right(answer) == Some(true)).count() as f64
        };
        let scores = vec![
            share(Metric::Accuracy, hits(|answer| answer.right), n),
            share(Metric::AccuracyUnnormalised, hits(|answer| answer.right_unnormalised), n),
        ];
        Ok(Quality {
            data: set.data.clone(),
            reference: None,
            method: METHOD.to_owned(),
            scores,
            windows: Vec::new(),
            answers,
            farthest: Vec::new(),
        })
    }

    /// The log-likelihood of each choice. What choices begin with alike is computed once.
    fn weigh(
        &self,
        child: &mut Child,
        tokenizer: &Tokenizer,
        question: &Choice,
    ) -> Result<Vec<f64>, Trouble> {
        let Tokens { context, whole } = tokens(tokenizer, question)?;
        let mut weights = Vec::new();
        let mut before: &[Token] = &[];
        for tokens in &whole {
            // The last token predicts nothing that is asked.
            let run = &tokens[..tokens.len() - 1];
            let alike = run.iter().zip(before).take_while(|(a, b)| a == b).count();
            let wanted = Wanted { tokens: run, held: alike.min(context - 1), skip: context - 1 };
            let mut rows = Rows::ask(self.run, child, &wanted, "choice")?;
            let (mut row, mut sum) = (Vec::new(), 0.0);
            for &next in &tokens[context..] {
                rows.next(&mut row)?;
                sum += log_likelihood(&row, next).ok_or_else(|| Trouble::failed(NOT_FINITE))?;
            }
            weights.push(sum);
            before = run;
        }
        Ok(weights)
    }

    /// The tokenizer of the model under test.
    pub(super) fn tokenizer(&self) -> Result<Tokenizer, Trouble> {
        let tokenizer = Gguf::open(&self.model.path).and_then(|gguf| Tokenizer::from_gguf(&gguf));
        tokenizer.map_err(|error| Trouble::failed(error.to_string()))
    }
}

/// A token that spans the end of the question counts to the choice: all choices are cut at the same place, the shortest
/// beginning that each shares with the question alone.
fn tokens(tokenizer: &Tokenizer, question: &Choice) -> Result<Tokens, Trouble> {
    let encode = |text: &str| {
        let bare = Encoding { ends: true, control: false };
        let mut ids = tokenizer.encode(text.as_bytes(), bare)?;
        // An end of text after it would be weighed as a part of it.
        if ids.len() > 1 && ids.last() == tokenizer.eos().as_ref() {
            ids.pop();
        }
        Ok(ids)
    };
    let failed = |error: yardstick_model::Error| Trouble::failed(error.to_string());
    let alone = encode(&question.question).map_err(failed)?;
    let mut whole: Vec<Vec<Token>> = Vec::new();
    for choice in &question.choices {
        whole.push(encode(&format!("{}{choice}", question.question)).map_err(failed)?);
    }
    let shared =
        |tokens: &Vec<Token>| tokens.iter().zip(&alone).take_while(|(a, b)| a == b).count();
    let shortest = whole.iter().map(Vec::len).min().unwrap_or(0);
    let context = whole.iter().map(shared).min().unwrap_or(0).min(shortest.saturating_sub(1));
    match context {
        0 => Err(Trouble::failed("the question has no token of its own before its choices")),
        context => Ok(Tokens { context, whole }),
    }
}

fn judge(question: &Choice, id: String, weights: &[f64]) -> Answered {
    let best = |weight: &dyn Fn(usize) -> f64| {
        let first = |best: usize, i: usize| if weight(i) > weight(best) { i } else { best };
        (0..weights.len()).fold(0, first)
    };
    let of_byte = |i: usize| weights[i] / question.choices[i].len() as f64;
    let per_byte = best(&of_byte);
    let next = (0..weights.len()).filter(|i| *i != per_byte).map(of_byte).reduce(f64::max);
    let plain = best(&|i| weights[i]);
    Answered {
        id,
        task: question.task.clone(),
        right: Some(per_byte == question.answer),
        right_unnormalised: Some(plain == question.answer),
        answer: per_byte.to_string(),
        tokens: None,
        ended: None,
        confidence: next.map(|next| of_byte(per_byte) - next).filter(|margin| margin.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_likeliest_per_byte_or_plain() {
        let question = Choice {
            id: None,
            task: None,
            question: "2 + 2 =".to_owned(),
            choices: vec![" 4".to_owned(), " fourfold".to_owned()],
            answer: 1,
        };
        // -2 / 2 bytes against -4 / 9 bytes.
        let answer = judge(&question, "1".to_owned(), &[-2.0, -4.0]);
        assert_eq!((answer.right, answer.right_unnormalised), (Some(true), Some(false)));
        assert_eq!(answer.answer, "1");
        assert!((answer.confidence.unwrap() - (1.0 - 4.0 / 9.0)).abs() < 1e-12);
    }
}
