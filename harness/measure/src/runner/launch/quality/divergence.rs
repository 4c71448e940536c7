//! Greedy text against the reference's: how many tokens until it first differs, and whether the same device repeats itself.

use yardstick_api::Token;
use yardstick_record::{Answered, DIVERGENCE_PROMPT, Metric, Phase, Quality, Test};

use super::tokens::Windows;
use super::{Measuring, Trouble};
use crate::child::Child;
use crate::protocol::{Answer, Call};
use crate::quality::sums::{mean, share};

/// Prompts taken from the text, spread evenly over it.
const PROMPTS: usize = 16;

impl Measuring<'_, '_, '_> {
    pub(super) fn score_divergence(
        &mut self,
        child: &mut Child,
        tokens: usize,
    ) -> Result<Quality, Trouble> {
        let material = &self.run.plan.material;
        let text = material.text.as_ref().ok_or_else(|| Trouble::failed("no text is named"))?;
        let windows = Windows::of(text, self.model, DIVERGENCE_PROMPT, material.windows)?;
        let other =
            Windows::of(text, self.reference_model()?, DIVERGENCE_PROMPT, material.windows)?;
        windows.same_as(&other)?;
        let step = windows.windows.len().div_ceil(PROMPTS);
        let prompts: Vec<&[Token]> =
            windows.windows.iter().step_by(step).map(Vec::as_slice).collect();
        self.release(child)?;
        let mut exact = self.open_reference(DIVERGENCE_PROMPT + tokens)?;
        let mut expected = Vec::new();
        for (index, prompt) in prompts.iter().enumerate() {
            self.go_on(index, 3 * prompts.len())?;
            expected.push(self.greedy(&mut exact.child, prompt, tokens)?);
        }
        exact.child.stop();
        self.resume(child, Test::Divergence { tokens })?;
        let (mut answers, mut repeated) = (Vec::new(), 0);
        for (index, (prompt, expected)) in prompts.iter().zip(&expected).enumerate() {
            self.go_on(prompts.len() + 2 * index, 3 * prompts.len())?;
            let found = self.greedy(child, prompt, tokens)?;
            repeated += usize::from(self.greedy(child, prompt, tokens)? == found);
            let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
            answers.push(Answered {
                id: format!("{}", index + 1),
                task: None,
                right: None,
                right_unnormalised: None,
                answer: windows.words(&found),
                tokens: Some(same as u64),
                ended: Some(if same == tokens { "length" } else { "differs" }.to_owned()),
                confidence: None,
            });
        }
        let lengths: Vec<f64> = answers.iter().filter_map(|a| Some(a.tokens? as f64)).collect();
        let count = lengths.len() as u64;
        Ok(Quality {
            data: text.data.clone(),
            reference: Some(exact.told),
            method: format!(
                "greedy text of {tokens} tokens after {count} prompts of {DIVERGENCE_PROMPT} tokens of the text; tokens before the \
                 first that is not the reference's, {tokens} where all are the same; each generated twice by the device"
            ),
            scores: vec![
                mean(Metric::MatchingTokens, &lengths),
                share(Metric::Repeatable, repeated as f64, count),
            ],
            windows: Vec::new(),
            answers,
            farthest: Vec::new(),
        })
    }

    fn greedy(&self, child: &mut Child, prompt: &[Token], n: usize) -> Result<Vec<Token>, Trouble> {
        let call = Call::Generate { tokens: prompt.to_vec(), n };
        match child.call(call, Phase::Sample, self.run.cancel, &mut |_| {})? {
            Answer::Generated { ids } if ids.len() == n => Ok(ids),
            Answer::Generated { ids } => {
                Err(Trouble::failed(format!("generated {} tokens, asked for {n}", ids.len())))
            }
            other => Err(child.unexpected(Phase::Sample, &other).into()),
        }
    }
}
