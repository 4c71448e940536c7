//! The sequential decision on one metric of one kernel.

use serde::Serialize;

use super::evidence::Evidence;
use super::{Error, Launch, Plan};
use crate::Interval;

/// Largest share of launches that may be set apart when a decision falls.
pub const MOST_SET_APART: f64 = 0.2;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An effect of the size that must be caught is excluded.
    Pass,
    /// The candidate costs more, by more than the floor and than what the control shows.
    Fail,
    /// The last look decided nothing, or the machine was not fit.
    Inconclusive,
    /// More launches are needed before the next look.
    Continue,
}

/// A decision with what it rests on. Effects are relative: 0.03 costs 3 % more than the base.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// Verdict.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// Mean effect over the launches that count; `None` before the first look.
    pub estimate: Option<f64>,
    /// Its interval at this look's share of both error budgets.
    pub interval: Option<Interval>,
    /// Mean effect of the control copy.
    pub control: Option<f64>,
    /// Launches that count, of those given.
    pub launches: usize,
    /// Launches set apart by outside evidence.
    pub set_apart: usize,
    /// The effect that these launches would have failed with a chance of 95 %.
    pub visible: Option<f64>,
    /// Undecided: launches after which `caught` would be visible at this noise, where any number would do.
    pub needed: Option<usize>,
    /// Launches that count at the next look.
    pub next_look: Option<usize>,
    /// Chance of such an effect or a larger one without a slow-down, over all looks taken; for [`super::holm`].
    pub p: f64,
}

impl Decision {
    /// What is left to say when time is over before the next look.
    #[must_use]
    pub fn over(mut self, why: &str) -> Decision {
        if self.verdict == Verdict::Continue {
            self.verdict = Verdict::Inconclusive;
            self.reason = format!("{why}; {}", self.reason);
        }
        self
    }
}

/// Decides from launches in the order they ran. Only the plan's looks are taken, whatever number was given, and the first that
/// decides counts: a function of the sequence, not of how often it is asked.
pub fn decide(plan: &Plan, launches: &[Launch]) -> Result<Decision, Error> {
    plan.check()?;
    let mut p = 1.0_f64;
    let mut last = None;
    for &look in &plan.looks {
        let Some(seen) = Evidence::at(plan, launches, look) else {
            return Ok(waiting(plan, launches, look, last, p));
        };
        p = p.min(seen.p * plan.looks.len() as f64);
        let apart = share(seen.set_apart, look);
        let verdict = if apart <= MOST_SET_APART { seen.verdict() } else { Verdict::Continue };
        let final_look = look == plan.most();
        match verdict {
            Verdict::Continue if !final_look => last = Some(seen),
            Verdict::Continue => return Ok(seen.decision(Verdict::Inconclusive, p)),
            decided => return Ok(seen.decision(decided, p)),
        }
    }
    Err(Error::Plan { field: "looks", expected: "at least one", found: "none".into() })
}

/// Between looks; inconclusive already where too many launches were set apart for any look to decide.
fn waiting(
    plan: &Plan,
    launches: &[Launch],
    look: usize,
    last: Option<Evidence<'_>>,
    p: f64,
) -> Decision {
    let kept = launches.iter().filter(|launch| launch.set_apart().is_none()).count();
    let set_apart = launches.len() - kept;
    let hopeless = share(set_apart, plan.most()) > MOST_SET_APART;
    let verdict = if hopeless { Verdict::Inconclusive } else { Verdict::Continue };
    let reason = if hopeless {
        format!("the machine was not fit: {}", Evidence::apart_words(launches))
    } else {
        let so_far = last.as_ref().map_or_else(String::new, |seen| format!("{}; ", seen.words()));
        format!("{so_far}{kept} launches of {look} for the next look")
    };
    let base = match last {
        Some(seen) => seen.decision(verdict, p),
        None => Decision {
            verdict,
            reason: String::new(),
            estimate: None,
            interval: None,
            control: None,
            launches: kept,
            set_apart,
            visible: None,
            needed: None,
            next_look: None,
            p,
        },
    };
    let next_look = (!hopeless).then_some(look);
    Decision { reason, set_apart, next_look, ..base }
}

/// Share of launches set apart when `kept` count.
fn share(set_apart: usize, kept: usize) -> f64 {
    set_apart as f64 / (set_apart + kept) as f64
}
