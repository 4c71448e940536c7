//! Measured cells as the predictor learns from them: the work, the speed, and the records behind it.

use std::collections::{BTreeMap, HashMap};

use yardstick_model::ModelInfo;
use yardstick_model::preset::{self, PresetRef};
use yardstick_record::{Metric, ModelRef, Record, Test, VerificationStatus};

use super::setup::{Ceilings, Setup};
use super::work::Work;
use crate::Row;
use crate::group::by_cell;

/// A measured cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The preset without its quantisation: what cells are held out by.
    pub(crate) family: String,
    pub(crate) model: String,
    pub(crate) test: Test,
    pub(crate) work: Work,
    pub(crate) tokens_per_second: f64,
    /// At its limit, where that was measured.
    pub(crate) limit: Option<f64>,
    pub(crate) records: Vec<String>,
}

impl Cell {
    /// Time of one repetition.
    pub(crate) fn seconds(&self) -> f64 {
        self.work.tokens / self.tokens_per_second
    }
}

/// A setup with everything measured on it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) setup: Setup,
    pub(crate) ceilings: Ceilings,
    pub(crate) cells: Vec<Cell>,
    /// Memory that models may use.
    pub(crate) memory: Option<u64>,
    /// Most bytes resident, keys and values apart, for a byte of tensors.
    pub(crate) resident: f64,
}

/// Cells by setup, in the order of the records. Only verified cells of presets teach: of another file nobody knows the shape.
/// Of a cell that several programs measured the latest counts.
pub(crate) fn measured(records: &[Record]) -> Vec<Measured> {
    let mut models: HashMap<String, Option<ModelInfo>> = HashMap::new();
    let mut latest: BTreeMap<String, (String, Setup, Cell, Vec<&Record>)> = BTreeMap::new();
    for group in by_cell(records) {
        let Some((setup, cell)) = learnt(&group, &mut models) else { continue };
        let started = group.iter().map(|record| record.started.clone()).max().unwrap_or_default();
        let key = format!("{setup:?}|{}|{}|{}", cell.model, cell.test, cell.work.sequences);
        if latest.get(&key).is_none_or(|(other, ..)| *other <= started) {
            latest.insert(key, (started, setup, cell, group));
        }
    }
    let mut found: Vec<(Measured, Vec<&Record>)> = Vec::new();
    for (_, setup, cell, records) in latest.into_values() {
        match found.iter_mut().find(|(measured, _)| measured.setup == setup) {
            Some((measured, all)) => {
                measured.cells.push(cell);
                all.extend(records);
            }
            None => found.push((
                Measured {
                    setup,
                    ceilings: Ceilings::default(),
                    cells: vec![cell],
                    memory: None,
                    resident: 1.0,
                },
                records,
            )),
        }
    }
    found.into_iter().map(|(measured, own)| with_ceilings(measured, &own, records)).collect()
}

fn with_ceilings(mut measured: Measured, own: &[&Record], all: &[Record]) -> Measured {
    let setup = &measured.setup;
    let limits: Vec<&Record> = all
        .iter()
        .filter(|record| {
            matches!(record.cell.test, Test::Limit(_))
                && record.outcome.is_ok()
                && record.cell.device == setup.device
                && crate::row::machine(record) == setup.machine
                && record.cell.options.threads == setup.threads.value().copied()
        })
        .collect();
    measured.ceilings = Ceilings::of(own, &limits);
    measured.memory =
        own.iter().filter_map(|r| r.device.value()?.memory_bytes.value()).max().copied();
    let resident = own.iter().filter_map(|record| {
        let (facts, tensors) = (record.facts.value()?, *record.cell.model.tensor_bytes.value()?);
        let bytes = facts.mapped_bytes + facts.copied_bytes + facts.scratch_bytes;
        (tensors > 0).then_some(bytes as f64 / tensors as f64)
    });
    measured.resident = resident.fold(1.0, f64::max);
    measured
}

/// The cell of one group of launches, where it may teach.
fn learnt(
    group: &[&Record],
    models: &mut HashMap<String, Option<ModelInfo>>,
) -> Option<(Setup, Cell)> {
    let row = Row::of(group)?;
    let proven = row.verification.status == VerificationStatus::Passed;
    let options = &row.cell.options;
    if !row.outcome.is_ok() || !proven || options.profile || row.origin.is_some() || row.is_shared()
    {
        return None;
    }
    let record = group.iter().find(|record| record.outcome.is_ok())?;
    let model = &row.cell.model;
    let info = models.entry(model.name.clone()).or_insert_with(|| known(model)).as_ref()?;
    let setup = Setup::of(record)?;
    let options = yardstick_api::Options {
        kv: setup.kv,
        chunk: record.facts.value()?.chunk,
        ..options.clone()
    };
    let tokens_per_second = row.estimate(Metric::TokensPerSecond)?.median;
    let percent = row.estimate(Metric::PercentOfLimit).map(|percent| percent.median);
    let cell = Cell {
        family: model.name.split(':').next().unwrap_or(&model.name).to_owned(),
        model: model.name.clone(),
        test: row.cell.test,
        work: Work::of(info, row.cell.test, &options)?,
        tokens_per_second,
        limit: percent.filter(|p| *p > 0.0).map(|percent| tokens_per_second * 100.0 / percent),
        records: row.records.clone(),
    };
    (cell.seconds().is_finite() && cell.seconds() > 0.0).then_some((setup, cell))
}

/// The preset of that name, if the file has its bytes.
fn known(model: &ModelRef) -> Option<ModelInfo> {
    let info = preset::info(&PresetRef::parse(&model.name).ok()?).ok()?;
    (model.file_bytes.value() == Some(&info.file_bytes)).then_some(info)
}
