//! The recommendation: which candidates meet the needs, what each costs, who is first, and how firm that is.
//!
//! Nothing passes silently: a requirement that cannot be judged keeps a candidate out of the ranking, with the reason.

mod candidate;
mod cost;
mod facts;
mod figure;
mod judge;
mod need;
mod rank;
mod stability;
mod what_if;

use serde::Serialize;
use yardstick_api::Known;

pub use candidate::Candidate;
pub use facts::{Cited, Family};
pub use figure::{Basis, Figure};
pub use judge::{Finding, Outcome};
pub use need::{Api, Needs, Only, Requirement, Spans, Stated, What, Workload};
pub use rank::{Axis, Place};
pub use stability::{Next, Stability};
pub use what_if::WhatIf;

use self::facts::Passes;
use crate::{Comparison, Standing};

/// A candidate judged.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The candidate.
    pub candidate: Candidate,
    /// Each requirement.
    pub findings: Vec<Finding>,
    /// What it amounts to.
    pub outcome: Outcome,
    /// Quantities that follow from others, or why there are none.
    pub derived: Vec<(What, Known<Figure>)>,
    /// Devices the work takes, or that are to be bought.
    pub devices: Known<f64>,
    /// Days until what was bought has cost no more than the API; none where it never does.
    pub break_even_days: Known<Option<f64>>,
}

impl Judged {
    /// A figure, measured or derived.
    pub fn figure(&self, what: What) -> Known<Figure> {
        let known = self.candidate.figures.get(&what).filter(|figure| figure.value().is_some());
        let derived = || self.derived.iter().find(|(of, _)| *of == what).map(|(_, figure)| figure);
        let missing = || Known::unavailable(format!("{} was not measured", what.words()));
        known
            .or_else(derived)
            .or_else(|| self.candidate.figures.get(&what))
            .cloned()
            .unwrap_or_else(missing)
    }
}

/// Everything decided.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// What was asked.
    pub needs: Needs,
    /// Every candidate; ranks and fronts point here.
    pub judged: Vec<Judged>,
    /// What decides among those that meet every requirement.
    pub rank_by: What,
    /// Those that do, best first.
    pub places: Vec<Place>,
    /// The axes of the front.
    pub axes: Vec<Axis>,
    /// Where each of those that meet every requirement stands among them over all axes.
    pub front: Vec<(usize, Standing)>,
    /// How firm the first place is; none where nobody has it.
    pub stability: Option<Stability>,
    /// What the API costs over all the years, where one is given.
    pub api_total: Option<Known<f64>>,
}

/// Candidates of a comparison, and those that were not measured, against the needs. Equal seeds draw equal worlds.
pub fn recommend(
    comparison: &Comparison,
    what_if: Vec<Candidate>,
    needs: Needs,
    seed: u64,
) -> Recommendation {
    let mut all = candidate::candidates(comparison, &needs);
    all.extend(what_if);
    all.retain(|one| judge::is_asked_about(one, &needs.only));
    all.retain_mut(|one| match facts::passes(one, &needs.only, &needs.families) {
        Passes::Yes => true,
        Passes::No => false,
        Passes::Unknown(reason) => {
            one.barred.get_or_insert(reason);
            true
        }
    });
    for one in &mut all {
        let family = facts::of(&needs.families, &one.model);
        one.licence = family.and_then(|family| family.licence.clone());
    }
    all.iter_mut().for_each(|one| one.state(&needs));
    let judged: Vec<Judged> = all.into_iter().map(|one| judge::judged(one, &needs)).collect();
    let rank_by = needs.rank_by.unwrap_or_else(|| rank::default_axis(&judged));
    let places = rank::places(&judged, rank_by);
    let (axes, front) = rank::front(&judged);
    let stability = stability::stability(&judged, &needs, (rank_by, &places), seed);
    let api_total = needs.api.map(|api| match cost::api_total(&needs.workload, api) {
        Ok(total) => Known::Value(total),
        Err(reason) => Known::unavailable(reason),
    });
    Recommendation { needs, judged, rank_by, places, axes, front, stability, api_total }
}
