//! Tests that seem slower, measured anew: fresh launches that are not pooled with the first, one error budget for all.

use std::time::{Duration, Instant};

use yardstick_analyse::gate::{Verdict, holm};

use super::batch::{Batch, Judged};
use super::{Progress, Settings, Source};
use crate::Error;

/// Most tests measured anew, those with the largest effect; the others fail with them or not at all.
const MOST: usize = 12;
/// Time each gets beyond the budget, if that is spent: a suspicion is not left open for a minute.
const EACH: Duration = Duration::from_secs(60);

/// What came of a suspicion.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    pub(super) judged: Judged,
    /// Whether it fails, by Holm over all suspects.
    pub(super) fails: bool,
}

/// Measures the suspects anew, the worst first.
pub(super) fn confirm(
    settings: &Settings,
    source: &mut dyn Source,
    first: &[Judged],
    until: Instant,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Confirmed>, Error> {
    let mut suspects: Vec<&Judged> =
        first.iter().filter(|judged| judged.verdict() == Verdict::Fail).collect();
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    suspects.sort_by(|a, b| effect(b).total_cmp(&effect(a)));
    let tests: Vec<String> = suspects.iter().take(MOST).map(|judged| judged.test.clone()).collect();
    told(Progress::Confirming { tests: &tests });
    // Each suspect has two hypotheses, CPU time and wall time.
    let hypotheses = 2 * suspects.len();
    let grace = Instant::now() + EACH * u32::try_from(tests.len()).unwrap_or(1);
    let batch =
        Batch { settings, share: hypotheses, seconds: settings.seconds.1, until: until.max(grace) };
    let judged = batch.run(source, &tests, told)?;
    let mut p: Vec<f64> = Vec::new();
    for judged in &judged {
        p.push(judged.primary.as_ref().map_or(1.0, |decision| decision.p));
        p.push(judged.wall.as_ref().map_or(1.0, |decision| decision.p));
    }
    // Those not measured anew count as hypotheses that hold.
    p.resize(hypotheses, 1.0);
    let rejected = holm(&p, settings.primary.alpha);
    let fails = |index: usize| rejected[2 * index] || rejected[2 * index + 1];
    Ok(judged
        .into_iter()
        .enumerate()
        .map(|(i, judged)| Confirmed { judged, fails: fails(i) })
        .collect())
}

/// The larger of both.
fn effect(judged: &Judged) -> f64 {
    let of = |decision: &Option<yardstick_analyse::gate::Decision>| {
        decision.as_ref().and_then(|decision| decision.estimate).unwrap_or(0.0)
    };
    of(&judged.primary).max(of(&judged.wall))
}
