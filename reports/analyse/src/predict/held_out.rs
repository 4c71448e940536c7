//! Predicted against measured: every cell as the others predict it, its model held out.

use serde::Serialize;
use yardstick_record::{Record, Test};

use super::cell::{Cell, measured};
use super::error_bar::{families, learn};
use super::setup::{Ceilings, Setup};
use super::work::Phase;
use crate::estimate::sorted;
use crate::median;

/// A setup and phase with enough cells to hold a model out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOut {
    /// The setup.
    pub setup: Setup,
    /// The phase.
    pub phase: Phase,
    /// Every cell that could be held out.
    pub cells: Vec<HeldOutCell>,
    /// Median of their relative errors, either way (0.06 is 6 %).
    pub median_error: f64,
    /// The largest.
    pub largest_error: f64,
}

/// One cell, predicted without its model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOutCell {
    /// Model.
    pub model: String,
    /// Test.
    pub test: Test,
    /// Sequences at once.
    pub sequences: usize,
    /// As measured, tokens/s.
    pub measured: f64,
    /// As predicted from cells of other models.
    pub predicted: f64,
    /// What the ceiling measured beside it allows, where there was one.
    pub limit: Option<f64>,
}

impl HeldOutCell {
    /// Predicted over measured, less 1.
    pub fn error(&self) -> f64 {
        self.predicted / self.measured - 1.0
    }
}

impl HeldOut {
    /// Of every setup and phase whose cells are of two models or more, in the order of the records.
    pub fn of(records: &[Record]) -> Vec<HeldOut> {
        let mut found = Vec::new();
        for one in measured(records) {
            for phase in [Phase::Decode, Phase::Prefill] {
                let cells: Vec<&Cell> =
                    one.cells.iter().filter(|cell| cell.work.phase == phase).collect();
                found.extend(HeldOut::among(&one.setup, phase, &cells, &one.ceilings));
            }
        }
        found
    }

    fn among(setup: &Setup, phase: Phase, cells: &[&Cell], ceilings: &Ceilings) -> Option<HeldOut> {
        let mut found = Vec::new();
        for family in families(cells) {
            let (held, others): (Vec<&Cell>, Vec<&Cell>) =
                cells.iter().copied().partition(|cell| cell.family == family);
            let Some(costs) = learn(&others, ceilings) else { continue };
            found.extend(held.into_iter().map(|cell| HeldOutCell {
                model: cell.model.clone(),
                test: cell.test,
                sequences: cell.work.sequences as usize,
                measured: cell.tokens_per_second,
                predicted: cell.work.tokens / costs.seconds(&ceilings.shares(&cell.work)),
                limit: cell.limit,
            }));
        }
        let cells = found;
        let errors = sorted(&cells.iter().map(|cell| cell.error().abs()).collect::<Vec<_>>());
        Some(HeldOut {
            setup: setup.clone(),
            phase,
            median_error: median(&errors)?,
            largest_error: *errors.last()?,
            cells,
        })
    }
}
