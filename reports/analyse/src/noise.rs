//! The noise floor: what a machine tells between two copies of the same program, from the records of an A/A run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::{Cell, Record, Test};

use crate::estimate::sorted;
use crate::group::by_cell;
use crate::interval::t_quantile;
use crate::ratio::log_ratios;
use crate::resample::{absolute_quantile, difference_quantile, medians};
use crate::versus::pairs;
use crate::{CONFIDENCE, Row, median};

/// The name of the suite whose records are A/A.
pub const NOISE_SUITE: &str = "noise";

/// Fewest A/A launches that say anything of the next.
const LEAST: usize = 3;

/// The noise of one machine, from its latest A/A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noise {
    /// Machine.
    pub machine: String,
    /// The run.
    pub run: String,
    /// Day it was measured, `2026-11-20`.
    pub measured: String,
    /// A floor for each cell measured.
    pub floors: Vec<Floor>,
}

/// The noise of one cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Floor {
    /// Device.
    pub device: String,
    /// Model.
    pub model: String,
    /// Test.
    pub test: Test,
    /// A/A launches: pairs of the two copies.
    pub launches: usize,
    /// Median of the launches' relative differences, either way (0.004 is 0.4 %).
    pub median: f64,
    /// The largest.
    pub largest: f64,
    /// Smallest relative difference that could be told from noise with as many launches.
    pub smallest: Known<f64>,
    /// Log ratios of the pairs.
    #[serde(skip)]
    ratios: Vec<f64>,
    /// Logarithms of both copies' launches, less each copy's median: what is not paired varies by them.
    #[serde(skip)]
    spread: Vec<f64>,
}

impl Noise {
    /// The noise of each machine that has an A/A run; the latest run counts.
    pub fn of(records: &[Record]) -> Vec<Noise> {
        let aa: Vec<Record> = records
            .iter()
            .filter(|record| record.shared.is_none())
            .filter(|record| is_noise(&record.run.suite, &record.run.command))
            .cloned()
            .collect();
        let mut machines: BTreeMap<String, BTreeMap<(String, String), Vec<Row>>> = BTreeMap::new();
        for group in by_cell(&aa) {
            // A cell measured in several runs is one group; a floor is one run's.
            let mut runs: BTreeMap<(String, String), Vec<&Record>> = BTreeMap::new();
            for record in group {
                let run = (record.run.started.clone(), record.run.id.clone());
                runs.entry(run).or_default().push(record);
            }
            for (run, records) in runs {
                let Some(row) = Row::of(&records) else { continue };
                let machine = row.settings.get("machine").cloned().unwrap_or_default();
                machines.entry(machine).or_default().entry(run).or_default().push(row);
            }
        }
        machines.into_iter().filter_map(|(machine, runs)| latest(machine, runs)).collect()
    }

    /// Smallest relative difference between two cells (device, test) that could be told from noise: `n` pairs, or that many launches of each
    /// measured apart. The noisier of the two devices counts.
    pub(crate) fn smallest(
        &self,
        cells: [(&str, Test); 2],
        n: usize,
        apart: Option<(usize, usize)>,
    ) -> Known<f64> {
        let mut largest: Known<f64> = Known::unavailable("");
        for cell in cells {
            let found = smallest(&self.floors_for(cell), n, apart);
            match (&largest, &found) {
                (_, Known::Unavailable { .. }) => return found,
                (Known::Value(most), Known::Value(this)) if most >= this => {}
                _ => largest = found,
            }
        }
        largest
    }

    /// Those nearest to the cell: of its device and test, of its device, of its test, or all of the machine's.
    fn floors_for(&self, cell: (&str, Test)) -> Vec<&Floor> {
        let device = |floor: &&Floor| floor.device == cell.0;
        let test = |floor: &&Floor| floor.test == cell.1;
        let nearest: [Vec<&Floor>; 3] = [
            self.floors.iter().filter(device).filter(test).collect(),
            self.floors.iter().filter(device).collect(),
            self.floors.iter().filter(test).collect(),
        ];
        let found = nearest.into_iter().find(|floors| !floors.is_empty());
        found.unwrap_or_else(|| self.floors.iter().collect())
    }

    /// Devices measured.
    pub fn devices(&self) -> BTreeSet<&str> {
        self.floors.iter().map(|floor| floor.device.as_str()).collect()
    }

    /// A/A launches over all cells.
    pub fn launches(&self) -> usize {
        self.floors.iter().map(|floor| floor.launches).sum()
    }

    /// Smallest relative difference that `n` pairs could tell from noise, all cells pooled.
    pub fn pooled(&self, n: usize) -> Known<f64> {
        smallest(&self.floors.iter().collect::<Vec<_>>(), n, None)
    }
}

/// Whether a run measured two copies of the same program: the noise suite's, or any asked for with `--noise`.
pub fn is_noise(suite: &str, command: &[String]) -> bool {
    suite == NOISE_SUITE || command.iter().any(|word| word == "--noise")
}

fn latest(machine: String, runs: BTreeMap<(String, String), Vec<Row>>) -> Option<Noise> {
    let ((started, run), rows) = runs
        .into_iter()
        .rev()
        .find(|(_, rows)| rows.iter().any(|row| !row.by_launch.is_empty()))?;
    let mut cells: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| !row.by_launch.is_empty()) {
        let key = Cell { build: None, ..row.cell.clone() }.key();
        cells.entry(key).or_default().push(row);
    }
    let mut floors: Vec<Floor> = cells.into_values().filter_map(floor).collect();
    floors.sort_by(|a, b| (&a.model, a.test, &a.device).cmp(&(&b.model, b.test, &b.device)));
    let measured = started.chars().take(10).collect();
    (!floors.is_empty()).then_some(Noise { machine, run, measured, floors })
}

/// The floor of the two copies of a cell; `None` where there are not two, or none took turns.
fn floor(mut rows: Vec<Row>) -> Option<Floor> {
    rows.sort_by(|a, b| a.cell.build.cmp(&b.cell.build));
    let [a, b] = rows.as_slice() else { return None };
    let ratios = log_ratios(&pairs(&a.by_launch, &b.by_launch));
    let sizes = sorted(&ratios.iter().map(|d| d.abs()).collect::<Vec<_>>());
    let spread = [a, b].into_iter().flat_map(deviations).collect();
    let mut floor = Floor {
        device: a.cell.device.clone(),
        model: a.model.clone(),
        test: a.cell.test,
        launches: ratios.len(),
        median: median(&sizes)?.exp_m1(),
        largest: sizes.last()?.exp_m1(),
        smallest: Known::unavailable(""),
        ratios,
        spread,
    };
    floor.smallest = smallest(&[&floor], floor.launches, None);
    Some(floor)
}

fn deviations(row: &Row) -> Vec<f64> {
    let logs: Vec<f64> =
        sorted(&row.by_launch.iter().map(|launch| launch.value.ln()).collect::<Vec<_>>());
    let centre = median(&logs).unwrap_or(0.0);
    logs.iter().map(|log| log - centre).collect()
}

/// The relative difference that medians of as many launches, drawn from the A/A launches with either sign, exceed 5 % of the
/// time; stretched by Student's t over the normal's because few A/A launches know their spread badly.
fn smallest(floors: &[&Floor], n: usize, apart: Option<(usize, usize)>) -> Known<f64> {
    let of = |part: fn(&Floor) -> &Vec<f64>| -> Vec<f64> {
        floors.iter().flat_map(|floor| part(floor).iter().copied()).collect()
    };
    let values = if apart.is_some() { of(|f| &f.spread) } else { of(|f| &f.ratios) };
    let launches: usize = floors.iter().map(|floor| floor.launches).sum();
    if launches < LEAST || n == 0 {
        return Known::unavailable(format!(
            "n too small: {launches} A/A launches, a noise floor needs {LEAST}"
        ));
    }
    let log = match apart {
        None => noise_floor(&values, n),
        Some((a, b)) => unnoise_floor(&values, a, b),
    };
    match log.filter(|log| log.is_finite()) {
        Some(log) => Known::Value(log.exp_m1()),
        None => Known::unavailable("the A/A launches have no finite spread"),
    }
}

/// From A/A log ratios: the log ratio that the median of `n` pairs stays within 95 % of the time.
pub fn noise_floor(ratios: &[f64], n: usize) -> Option<f64> {
    let reach = absolute_quantile(&medians(&mirrored(ratios), n), CONFIDENCE)?;
    Some(reach * stretch(ratios.len()))
}

/// The same for the medians of `a` and of `b` launches measured apart, from launches' deviations.
fn unnoise_floor(spread: &[f64], a: usize, b: usize) -> Option<f64> {
    let pool = mirrored(spread);
    let upper = 1.0 - (1.0 - CONFIDENCE) / 2.0;
    let reach = difference_quantile(&medians(&pool, a), &medians(&pool, b), upper)?;
    Some(reach.max(0.0) * stretch(spread.len().saturating_sub(2)))
}

/// Two copies of one program are exchangeable: each difference could as well have had the other sign.
fn mirrored(values: &[f64]) -> Vec<f64> {
    sorted(&values.iter().flat_map(|v| [*v, -*v]).collect::<Vec<_>>())
}

fn stretch(freedom: usize) -> f64 {
    const NORMAL: f64 = 1.959_964;
    t_quantile(freedom.max(1), CONFIDENCE) / NORMAL
}
