//! The error bar: how far cells that were held out lay from what the others predicted.

use serde::Serialize;
use yardstick_api::Known;

use super::beyond::Beyond;
use super::cell::Cell;
use super::costs::Costs;
use super::setup::Ceilings;
use crate::estimate::sorted;
use crate::interval::t_quantile;
use crate::{CONFIDENCE, Interval, median};

/// How an error bar was learnt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorBar {
    /// Relative error of cells held out, root of the mean square (0.08 is 8 %).
    pub error: f64,
    /// Groups held out, one after another: the unit of the statistics.
    pub groups: usize,
    /// Cells in them.
    pub cells: usize,
    /// What was held out, in words.
    pub held_out: String,
}

/// Logarithms of measured over predicted of cells that the costs had not seen, by group.
#[derive(Clone, Debug)]
pub(crate) struct Errors {
    groups: Vec<Vec<f64>>,
    held_out: String,
}

impl Errors {
    /// Every model held out in turn, all its formats and tests.
    pub(crate) fn of_models(cells: &[&Cell], ceilings: &Ceilings) -> Errors {
        let held = families(cells)
            .into_iter()
            .map(|family| cells.iter().copied().partition(|cell| cell.family == family));
        Errors::learn(held, ceilings, "one model after another".to_owned())
    }

    /// Cells held out as the question lies outside, each model's apart: what teaches of them leaves out all such cells and that model.
    pub(crate) fn of_beyond(beyond: &Beyond, cells: &[&Cell], ceilings: &Ceilings) -> Errors {
        let held = beyond.trials(cells).into_iter().flat_map(|trial| {
            let models = families(&trial).into_iter().map(move |family| {
                let group = trial.iter().filter(|cell| cell.family == family).copied().collect();
                let apart = |cell: &&&Cell| !is_in(cell, &trial) && cell.family != family;
                (group, cells.iter().filter(apart).copied().collect())
            });
            models.collect::<Vec<_>>()
        });
        Errors::learn(held, ceilings, format!("cells like the question: {}", beyond.words()))
    }

    /// Of each group, with the cells that teach of it.
    fn learn<'a>(
        held: impl Iterator<Item = (Vec<&'a Cell>, Vec<&'a Cell>)>,
        ceilings: &Ceilings,
        held_out: String,
    ) -> Errors {
        let groups = held.map(|(group, rest)| errors(&group, &rest, ceilings));
        Errors { groups: groups.filter(|group| !group.is_empty()).collect(), held_out }
    }

    /// `None` without a single cell that could be held out.
    pub(crate) fn bar(&self) -> Option<ErrorBar> {
        let all: Vec<f64> = self.groups.iter().flatten().copied().collect();
        let square = all.iter().map(|error| error * error).sum::<f64>() / all.len().max(1) as f64;
        (!all.is_empty()).then(|| ErrorBar {
            error: square.sqrt().exp_m1(),
            groups: self.groups.len(),
            cells: all.len(),
            held_out: self.held_out.clone(),
        })
    }
}

fn is_in(cell: &Cell, group: &[&Cell]) -> bool {
    group.iter().any(|other| std::ptr::eq(*other, cell))
}

/// Models of the cells, each once.
pub(crate) fn families(cells: &[&Cell]) -> Vec<String> {
    let mut families: Vec<String> = cells.iter().map(|cell| cell.family.clone()).collect();
    families.sort();
    families.dedup();
    families
}

fn errors(group: &[&Cell], rest: &[&Cell], ceilings: &Ceilings) -> Vec<f64> {
    let Some(costs) = learn(rest, ceilings) else { return Vec::new() };
    let error = |cell: &&Cell| off(&costs, cell, ceilings);
    group.iter().map(error).filter(|error| error.is_finite()).collect()
}

/// Costs of cells.
pub(crate) fn learn(cells: &[&Cell], ceilings: &Ceilings) -> Option<Costs> {
    fit(cells, ceilings, tiles_matter(cells, ceilings))
}

/// Telling tiled matrices apart has to make the error on models held out so much smaller: otherwise it only adds noise.
const BETTER: f64 = 0.9;

/// Whether tiled matrices have costs of their own here, as the cells themselves say: each model held out of the others.
fn tiles_matter(cells: &[&Cell], ceilings: &Ceilings) -> bool {
    let error = |tiles: bool| {
        let all = families(cells).into_iter().flat_map(|family| {
            let (held, rest): (Vec<&Cell>, Vec<&Cell>) =
                cells.iter().copied().partition(|cell| cell.family == family);
            let costs = fit(&rest, ceilings, tiles);
            held.into_iter()
                .filter_map(move |cell| Some(off(costs.as_ref()?, cell, ceilings).abs()))
        });
        // The median: one model that nothing else tells of must not decide.
        median(&sorted(&all.filter(|error| error.is_finite()).collect::<Vec<f64>>()))
    };
    error(true).zip(error(false)).is_some_and(|(apart, together)| apart < BETTER * together)
}

fn fit(cells: &[&Cell], ceilings: &Ceilings, tiles: bool) -> Option<Costs> {
    let shares: Vec<_> =
        cells.iter().map(|cell| (ceilings.shares(&cell.work), cell.seconds())).collect();
    Costs::learn(&shares, tiles)
}

/// Logarithm of predicted over measured time.
fn off(costs: &Costs, cell: &Cell, ceilings: &Ceilings) -> f64 {
    (costs.seconds(&ceilings.shares(&cell.work)) / cell.seconds()).ln()
}

impl ErrorBar {
    /// Around a prediction: Student's t with as many degrees of freedom as groups, on logarithms. Cells of one group err together,
    /// so that they are not counted apart.
    pub fn around(&self, value: f64) -> Known<Interval> {
        let reach = t_quantile(self.groups, CONFIDENCE) * self.error.ln_1p();
        let (low, high) = (value * (-reach).exp(), value * reach.exp());
        match low > 0.0 && high.is_finite() {
            true => Known::Value(Interval { low, high, confidence: CONFIDENCE }),
            false => Known::unavailable("the cells held out were missed by orders of magnitude"),
        }
    }
}
