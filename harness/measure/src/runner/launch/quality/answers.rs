//! Questions answered with text, and a user's own prompts: each goes from text to text once; every answer is bounded.

use yardstick_record::{Answered, Metric, Phase, Quality, Score, Test};

use super::{Measured, Measuring, Trouble};
use crate::child::{CallError, Child, escape};
use crate::protocol::{Answer, Call, FaultKind};
use crate::quality::Set;
use crate::quality::check::Check;
use crate::quality::questions::Question;
use crate::quality::sums::{mean, share};
use crate::runner::credible::overlong;

/// Characters of an answer that a record keeps.
const KEPT: usize = 500;

impl Measuring<'_, '_, '_> {
    pub(super) fn score_answers(
        &mut self,
        child: &mut Child,
        test: Test,
        set: Option<&Set<Question>>,
        measured: &mut Measured,
    ) -> Result<Quality, Trouble> {
        let set = set.ok_or_else(|| Trouble::failed("no questions are named"))?;
        // That a model has no tokenizer is no error of a prompt.
        self.tokenizer()?;
        let mut answers = Vec::new();
        for (index, question) in set.questions.iter().enumerate() {
            self.go_on(index, set.questions.len())?;
            let id = question.id.clone().unwrap_or_else(|| format!("{}", index + 1));
            answers.push(self.answer(child, question, id, measured)?);
        }
        let most = self.run.plan.material.most_tokens;
        Ok(Quality {
            data: set.data.clone(),
            reference: None,
            method: format!(
                "greedy answers of at most {most} tokens, ended by the model or a stop, each from an empty context"
            ),
            scores: scores(test, &set.questions, &answers),
            windows: Vec::new(),
            answers,
            farthest: Vec::new(),
        })
    }

    /// One answer. A question that the worker refuses is one that went wrong; a worker that is lost ends the test.
    fn answer(
        &self,
        child: &mut Child,
        question: &Question,
        id: String,
        measured: &mut Measured,
    ) -> Result<Answered, Trouble> {
        let call = Call::Complete {
            prompt: question.prompt.clone(),
            n: self.run.plan.material.most_tokens,
            stop: question.stop.clone(),
        };
        let asked = std::time::Instant::now();
        let task = question.task.clone();
        match child.call(call, Phase::Sample, self.run.cancel, &mut |_| {}) {
            Ok(Answer::Completed { text, tokens, ended, sample, .. }) => {
                if let Some(flaw) = overlong(&sample, asked.elapsed()) {
                    return Err(Trouble::failed(format!("question {id}: {flaw}")));
                }
                measured.samples.push(sample);
                let check = Check::of(question).map_err(Trouble::failed)?;
                Ok(Answered {
                    id,
                    task,
                    right: check.map(|check| check.admits(&text)),
                    right_unnormalised: None,
                    answer: text.chars().take(KEPT).collect(),
                    tokens: Some(tokens as u64),
                    ended: Some(ended.name().to_owned()),
                    confidence: None,
                })
            }
            Ok(other) => Err(child.unexpected(Phase::Sample, &other).into()),
            Err(CallError::Fault { kind: FaultKind::Invalid, message, .. }) => Ok(Answered {
                id,
                task,
                right: None,
                right_unnormalised: None,
                answer: String::new(),
                tokens: None,
                ended: Some(format!("error: {}", escape(&message))),
                confidence: None,
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// Of those that say what would be right, how many are; refusals; tokens; errors.
fn scores(test: Test, questions: &[Question], answers: &[Answered]) -> Vec<Score> {
    let pairs = || questions.iter().zip(answers);
    let judged: Vec<bool> = pairs()
        .filter(|(question, _)| !matches!(Check::of(question), Ok(None)))
        .map(|(_, answer)| answer.right == Some(true))
        .collect();
    let unanswerable: Vec<bool> = pairs()
        .filter(|(question, _)| question.unanswerable)
        .map(|(_, answer)| answer.right == Some(true))
        .collect();
    let right = |of: &[bool]| of.iter().filter(|right| **right).count() as f64;
    let mut scores = Vec::new();
    for (metric, of) in [(Metric::Accuracy, &judged), (Metric::Refusals, &unanswerable)] {
        if !of.is_empty() {
            scores.push(share(metric, right(of), of.len() as u64));
        }
    }
    let tokens: Vec<f64> = answers.iter().filter_map(|a| Some(a.tokens? as f64)).collect();
    scores.push(mean(Metric::AnswerTokens, &tokens));
    if test == Test::Prompts {
        let errors = answers.iter().filter(|answer| answer.tokens.is_none()).count();
        scores.push(share(Metric::ErrorRate, errors as f64, answers.len() as u64));
    }
    scores
}
