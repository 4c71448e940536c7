//! Greedy generation: every chosen token put to the device again must be (nearly) its best.

use std::ops::ControlFlow;

use super::bench::Bench;
use crate::verify::{shortfall, shortfall_limit};
use crate::{Logits, Rows, Sequence, Token};

const STEPS: usize = 8;

pub(super) fn best(bench: &mut Bench<'_>) -> Result<(), String> {
    let prompt = bench.case.tokens[..9].to_vec();
    bench.forward(&[(0, &prompt[..8])], Rows::None)?;
    let ids = generate(bench, &[(0, prompt[8])], STEPS)?;
    bench.expect_length(0, 8 + STEPS)?;
    judge(bench, &prompt, &ids)?;
    bench.truncate(0, 8)?;
    if !generate(bench, &[(0, prompt[8])], 0)?.is_empty() {
        return Err("asked for no tokens, generated some".into());
    }
    bench.expect_length(0, 8)
}

pub(super) fn sequences(bench: &mut Bench<'_>) -> Result<(), String> {
    let prompts = [bench.case.tokens[..5].to_vec(), bench.other_tokens(7)[..11].to_vec()];
    let slots = [2, 0];
    for (slot, prompt) in slots.iter().zip(&prompts) {
        bench.forward(&[(*slot, &prompt[..prompt.len() - 1])], Rows::None)?;
    }
    let first = [(slots[0], prompts[0][4]), (slots[1], prompts[1][10])];
    let ids = generate(bench, &first, STEPS)?;
    for (i, prompt) in prompts.iter().enumerate() {
        bench.expect_length(slots[i], prompt.len() - 1 + STEPS)?;
        let chosen: Vec<Token> = ids.iter().copied().skip(i).step_by(2).collect();
        judge(bench, prompt, &chosen).map_err(|error| format!("sequence {i}: {error}"))?;
    }
    Ok(())
}

/// Stops at the first emit that brings the third token; the session stays usable.
pub(super) fn stop(bench: &mut Bench<'_>) -> Result<(), String> {
    let first = bench.case.tokens[0];
    let (mut emitted, mut calls_after) = (0, 0);
    let outcome = bench.session.generate(&[(Sequence(0), first)], STEPS, &mut |_, ids| {
        calls_after += usize::from(emitted >= 3);
        emitted += ids.len();
        if emitted >= 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    outcome.map_err(|error| format!("generate: {error}"))?;
    if emitted < 3 || calls_after > 0 {
        return Err(format!("{emitted} tokens emitted, {calls_after} calls after the stop"));
    }
    let length = bench.session.length(Sequence(0));
    if !(3..=STEPS).contains(&length) {
        return Err(format!("stopped after 3 tokens, the sequence holds {length}"));
    }
    let logits = bench.alone(0, &bench.case.tokens)?;
    bench.judge("afterwards", &logits, &bench.case.expected)
}

/// Generates, checking the step numbers; ids step-major.
fn generate(
    bench: &mut Bench<'_>,
    first: &[(u32, Token)],
    steps: usize,
) -> Result<Vec<Token>, String> {
    let first: Vec<_> = first.iter().map(|&(i, token)| (Sequence(i), token)).collect();
    let (mut ids, mut wrong) = (Vec::new(), None);
    let outcome = bench.session.generate(&first, steps, &mut |step, emitted| {
        if step * first.len() != ids.len() {
            wrong = Some(format!("emitted step {step} after {} ids", ids.len()));
        }
        ids.extend_from_slice(emitted);
        ControlFlow::Continue(())
    });
    outcome.map_err(|error| format!("generate: {error}"))?;
    match wrong {
        Some(message) => Err(message),
        None if ids.len() != steps * first.len() => {
            Err(format!("{} ids for {steps} steps of {} sequences", ids.len(), first.len()))
        }
        None => Ok(ids),
    }
}

/// Teacher forcing on sequence 1.
fn judge(bench: &mut Bench<'_>, prompt: &[Token], chosen: &[Token]) -> Result<(), String> {
    if let Some(id) = chosen.iter().find(|&&id| id as usize >= bench.vocab) {
        return Err(format!("chose {id}, outside the vocabulary"));
    }
    let all: Vec<Token> = prompt.iter().chain(&chosen[..chosen.len() - 1]).copied().collect();
    let logits = bench.alone(1, &all)?;
    let values = &logits[(prompt.len() - 1) * bench.vocab..];
    let found = shortfall(Logits { vocab: bench.vocab, values }, chosen);
    let limit = shortfall_limit(bench.facts.numerics.nmse_limit());
    if found > limit {
        return Err(format!(
            "a chosen token lies {found:.2e} deviations below the best, limit {limit:.0e}"
        ));
    }
    Ok(())
}
