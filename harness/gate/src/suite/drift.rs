//! Output drift of a group: both sides answer the same prompt, all at once and token by token, and the candidate's predictions
//! are held against the base's. The answers are the same every time, so one comparison decides.

use std::path::Path;

use yardstick_api::{Options, Token};
use yardstick_measure::quality::{OutputDrift, output_drift, prompt};
use yardstick_measure::runner::{LogitsError, LogitsRequest, logits};

use super::cells::Group;
use super::round::Round;
use crate::{Arm, Drift, Error, Outcome, TestReport};

/// Tokens of the prompt.
const TOKENS: usize = 64;

/// One way of asking: the name of it, and whether a token a call.
const WAYS: [(&str, bool); 2] = [("prefill", false), ("decode", true)];

/// What came of asking both sides one way.
enum Asked {
    Compared(OutputDrift),
    /// Not numbers, or another number of them.
    Unlike(String),
    /// The base gives no logits.
    Untold(String),
    /// The base does, the candidate does not.
    Silent(String),
}

/// The row of a group. `allowed`: nats that are let pass, and whether the suite says so.
pub(super) fn row(
    round: &Round<'_, '_>,
    group: &Group,
    allowed: (f64, bool),
) -> Result<TestReport, Error> {
    let name = format!("{} drift", group.name(round.plan));
    let told =
        |outcome, reason: String, drift| Ok(TestReport::unmeasured(&name, outcome, reason, drift));
    let (allowed, demanded) = allowed;
    let untold = if demanded { Outcome::Missing } else { Outcome::Skipped };
    let Some(model) = round.path(group.model) else {
        return told(
            untold,
            "outputs were not compared: the model was not opened".to_owned(),
            None,
        );
    };
    let Some(options) = options(group) else {
        return told(
            untold,
            "outputs were not compared: a side has no such device".to_owned(),
            None,
        );
    };
    let n = options.context.unwrap_or(TOKENS).min(TOKENS);
    let tokens = match prompt(&model, n) {
        Ok(tokens) => tokens,
        Err(error) => return told(untold, format!("outputs were not compared: {error}"), None),
    };
    let mut worst: Option<(&str, OutputDrift)> = None;
    let (mut positions, mut same) = (0, true);
    for (way, step) in WAYS {
        let found = match ask(round, group, &model, (&options, &tokens), step)? {
            Asked::Compared(found) => found,
            Asked::Unlike(why) => {
                return told(
                    Outcome::Drifted,
                    format!("computes something else in {way}: {why}"),
                    None,
                );
            }
            Asked::Untold(why) => {
                return told(untold, format!("outputs were not compared: base: {why}"), None);
            }
            Asked::Silent(why) => {
                let reason =
                    format!("the base tells its logits in {way}, the candidate not: {why}");
                return told(Outcome::Missing, reason, None);
            }
        };
        positions += found.positions;
        same &= found.same_bits;
        if worst.is_none_or(|(_, worst)| found.mean > worst.mean) {
            worst = Some((way, found));
        }
    }
    let Some((way, found)) = worst else {
        return told(untold, "outputs were not compared".to_owned(), None);
    };
    if same {
        let reason = format!("the same bits at {positions} positions, in prefill and decode");
        return told(Outcome::Passed, reason, Some(Drift::None));
    }
    let OutputDrift { positions, mean, max, other_words, .. } = found;
    let drift = Drift::Divergence { mean, max, positions, other_words, allowed };
    let (outcome, verb) = match drift.within(allowed) {
        true => (Outcome::Passed, "rounds otherwise"),
        false => (Outcome::Drifted, "computes something else"),
    };
    told(outcome, format!("{verb} in {way}: {}", drift.words()), Some(drift))
}

/// Those of the base's launch: the context sized as it is measured.
fn options(group: &Group) -> Option<Options> {
    let base = group.launches.base.as_ref()?;
    let mut options = base.effective();
    if base.options.context.is_none() {
        options.context = options.context.map(|context| context.max(TOKENS));
    }
    group.launches.candidate.as_ref().map(|_| options)
}

fn ask(
    round: &Round<'_, '_>,
    group: &Group,
    model: &Path,
    (options, tokens): (&Options, &[Token]),
    step: bool,
) -> Result<Asked, Error> {
    let mut answers = Vec::new();
    for arm in [Arm::Base, Arm::Candidate] {
        let Some(launch) = group.launches.get(arm) else { continue };
        let Some(worker) = round.workers.get(launch.worker) else { continue };
        let scratch = &round.lent.scratch;
        let out = scratch.join(format!("{}-{arm}.logits", std::process::id()));
        let device = &group.device;
        let request = LogitsRequest { device, model, options, tokens, step, out: &out };
        let told = logits(&worker.command, &round.plan.deadlines, &request, round.cancel);
        let bytes = std::fs::read(&out);
        let _ = std::fs::remove_file(&out);
        let answer = match (told, bytes) {
            (Ok((_, vocab)), Ok(bytes)) => Ok((bytes, vocab)),
            (Err(LogitsError::Interrupted), _) => return Err(Error::Interrupted),
            (Err(LogitsError::Refused(why)), _) => Err(why),
            (Ok(_), Err(error)) => Err(format!("its file of logits: {error}")),
        };
        answers.push(answer);
    }
    let mut answers = answers.into_iter();
    Ok(match (answers.next(), answers.next()) {
        (Some(Ok((base, vocab))), Some(Ok((candidate, other)))) if vocab == other => {
            output_drift(&base, &candidate, vocab).map_or_else(Asked::Unlike, Asked::Compared)
        }
        (Some(Ok((_, vocab))), Some(Ok((_, other)))) => {
            Asked::Unlike(format!("a vocabulary of {other}, the base's has {vocab}"))
        }
        (Some(Ok(_)), Some(Err(why))) => Asked::Silent(why),
        (Some(Err(why)), _) => Asked::Untold(why),
        _ => Asked::Untold("a side has no such device".to_owned()),
    })
}
