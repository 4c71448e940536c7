//! Fronts of a trade-off: its quality against each of its costs.

use yardstick_api::Known;
use yardstick_record::Metric;

use super::pareto::{Cost, standings};
use super::{Aspect, Candidate, Column, Standing};

/// Quality against one cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Front {
    /// The column of quality.
    pub quality: usize,
    /// The column it is weighed against.
    pub cost: usize,
    /// What becomes of each candidate.
    pub standings: Vec<Standing>,
}

/// A front that cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFront {
    /// Against what.
    pub cost: Aspect,
    /// Why.
    pub reason: String,
}

/// What quality is weighed against.
const COSTS: [Aspect; 3] = [Aspect::Decode, Aspect::Size, Aspect::Energy];
/// What quality is taken for, the most telling first: a divergence tells more of the same text than its perplexity does.
const QUALITIES: [Metric; 3] = [Metric::KldMean, Metric::Perplexity, Metric::Accuracy];
/// Fewer points are no front.
const LEAST: usize = 2;

/// A front for each cost, or why there is none.
pub(super) fn fronts(columns: &[Column], candidates: &[Candidate]) -> (Vec<Front>, Vec<NoFront>) {
    let mut found = (Vec::new(), Vec::new());
    let quality = quality(columns, candidates);
    for cost in COSTS {
        match front(columns, candidates, &quality, cost) {
            Ok(front) => found.0.push(front),
            Err(reason) => found.1.push(NoFront { cost, reason }),
        }
    }
    found
}

fn front(
    columns: &[Column],
    candidates: &[Candidate],
    quality: &Result<usize, String>,
    cost: Aspect,
) -> Result<Front, String> {
    let quality = quality.clone()?;
    let cost = columns.iter().position(|column| column.aspect == cost).ok_or("not asked for")?;
    let axes = [quality, cost];
    let points: Vec<Result<[Cost; 2], String>> =
        candidates.iter().map(|candidate| point(columns, candidate, axes)).collect();
    if points.iter().filter(|point| point.is_ok()).count() < LEAST {
        let reason = points.into_iter().find_map(Result::err);
        return Err(reason.unwrap_or_else(|| "a front needs two formats".to_owned()));
    }
    Ok(Front { quality, cost, standings: standings(&points) })
}

fn point(columns: &[Column], candidate: &Candidate, axes: [usize; 2]) -> Result<[Cost; 2], String> {
    let cost = |axis: usize| match &candidate.values[axis] {
        Known::Value(quantity) => Ok(quantity.cost(columns[axis].aspect.direction())),
        Known::Unavailable { unavailable } => Err(unavailable.clone()),
    };
    Ok([cost(axes[0])?, cost(axes[1])?])
}

/// The column that stands for quality: the first kind that two candidates have a value of.
fn quality(columns: &[Column], candidates: &[Candidate]) -> Result<usize, String> {
    let values = |column: usize| candidates.iter().map(move |candidate| &candidate.values[column]);
    let known = |column: &usize| values(*column).filter(|value| value.value().is_some()).count();
    let of =
        |metric| (0..columns.len()).filter(move |&i| columns[i].aspect == Aspect::Quality(metric));
    let mut all = QUALITIES.into_iter().flat_map(of);
    if let Some(column) = all.clone().find(|column| known(column) >= LEAST) {
        return Ok(column);
    }
    let reason = all.find_map(|column| values(column).find_map(Known::reason));
    Err(reason.unwrap_or("no divergence, perplexity or accuracy was asked for").to_owned())
}
