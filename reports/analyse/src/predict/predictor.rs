//! The predictor itself: learns from records, answers questions, refuses what it has no ground for.

use serde::Serialize;
use yardstick_api::{Known, Options};
use yardstick_model::ModelInfo;
use yardstick_record::{Record, Test};

use super::beyond::{Beyond, beyond};
use super::cell::{Cell, Measured, measured};
use super::error_bar::{ErrorBar, Errors, learn};
use super::setup::Setup;
use super::work::{Phase, Work};
use crate::Interval;

/// What is asked: a test of a model with so many sequences.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The model.
    pub model: &'a ModelInfo,
    /// The test.
    pub test: Test,
    /// Sequences at once.
    pub sequences: usize,
}

/// A speed that nobody measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Tokens per second over all sequences.
    pub tokens_per_second: f64,
    /// Where the measured speed would lie, or why nobody knows.
    pub interval: Known<Interval>,
    /// How the interval was learnt.
    pub error_bar: Option<ErrorBar>,
    /// How the question lies outside of what was measured.
    pub beyond: Vec<String>,
    /// Models it was learnt from.
    pub models: Vec<String>,
    /// Ids of the records it was learnt from.
    pub records: Vec<String>,
}

/// Everything measured, by setup.
#[derive(Clone, Debug)]
pub struct Predictor {
    measured: Vec<Measured>,
}

impl Predictor {
    /// Learns from records; their order does not matter.
    pub fn learn(records: &[Record]) -> Predictor {
        Predictor { measured: measured(records) }
    }

    /// Setups with at least one measured cell.
    pub fn setups(&self) -> impl Iterator<Item = &Setup> {
        self.measured.iter().map(|one| &one.setup)
    }

    /// The speed on a setup, or why there is no saying.
    pub fn predict(&self, setup: &Setup, question: &Question<'_>) -> Known<Prediction> {
        let Some(one) = self.measured.iter().find(|one| one.setup == *setup) else {
            return Known::unavailable(format!("no cell was measured on {}", setup.words()));
        };
        let options = Options { kv: setup.kv, sequences: question.sequences, ..Options::default() };
        match answer(one, question, &options) {
            Ok(prediction) => Known::Value(prediction),
            Err(reason) => Known::unavailable(reason),
        }
    }
}

fn answer(
    one: &Measured,
    question: &Question<'_>,
    options: &Options,
) -> Result<Prediction, String> {
    let Question { model, test, sequences } = *question;
    let work = Work::of(model, test, options).filter(|_| sequences > 0).ok_or_else(|| {
        format!("{test} with {sequences} sequences: only ppN and tgN are predicted")
    })?;
    let cells: Vec<&Cell> = one.cells.iter().filter(|c| c.work.phase == work.phase).collect();
    if cells.is_empty() {
        return Err(format!(
            "no {} of a preset was measured and verified on {}",
            work.phase.name(),
            one.setup.words()
        ));
    }
    if work.phase == Phase::Decode && sequences > 1 && !cells.iter().any(|c| c.work.sequences > 1.0)
    {
        return Err(format!(
            "no decode of several sequences was measured on {}",
            one.setup.words()
        ));
    }
    fits(one, model, &work)?;
    let costs = learn(&cells, &one.ceilings).ok_or("the cells measured tell no costs")?;
    let tokens_per_second = work.tokens / costs.seconds(&one.ceilings.shares(&work));
    if !(tokens_per_second.is_finite() && tokens_per_second > 0.0) {
        return Err("the costs learnt give no speed".to_owned());
    }
    let outside = beyond(&work, &cells);
    let error_bar = error_bar(one, &cells, &outside);
    let mut models: Vec<String> = cells.iter().map(|cell| cell.model.clone()).collect();
    models.sort();
    models.dedup();
    Ok(Prediction {
        tokens_per_second,
        interval: match &error_bar {
            Ok(bar) => bar.around(tokens_per_second),
            Err(reason) => Known::unavailable(reason),
        },
        error_bar: error_bar.ok(),
        beyond: outside.iter().map(Beyond::words).collect(),
        models,
        records: cells.iter().flat_map(|cell| cell.records.clone()).collect(),
    })
}

/// The widest of the bars that apply: other models always, and each way in which the question lies outside.
fn error_bar(one: &Measured, cells: &[&Cell], outside: &[Beyond]) -> Result<ErrorBar, String> {
    let mut widest = Errors::of_models(cells, &one.ceilings)
        .bar()
        .ok_or("cells of one model only: none can be held out")?;
    for way in outside {
        let bar = Errors::of_beyond(way, cells, &one.ceilings).bar().ok_or_else(|| {
            format!("{}, and no cells could be held out to tell what that costs", way.words())
        })?;
        let reach = |bar: &ErrorBar| bar.around(1.0).value().map_or(f64::INFINITY, |i| i.high);
        if reach(&bar) > reach(&widest) {
            widest = bar;
        }
    }
    Ok(widest)
}

/// Weights as this device held others in memory, and keys and values, against the memory that models may use.
fn fits(one: &Measured, model: &ModelInfo, work: &Work) -> Result<(), String> {
    let Some(memory) = one.memory else { return Ok(()) };
    let tensors = model.tensor_bytes as f64;
    let (weights, kv) = (one.resident * tensors, work.held_bytes - tensors);
    if weights + kv <= memory as f64 {
        return Ok(());
    }
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    Err(format!(
        "does not fit: weights {:.0} MiB, keys and values {:.0} MiB, models may use {:.0} MiB",
        mib(weights),
        mib(kv),
        mib(memory as f64)
    ))
}
