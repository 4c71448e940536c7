//! The comparison: rows side by side, and who is first.

use std::collections::{BTreeMap, BTreeSet};

use yardstick_api::Known;
use yardstick_record::Record;

use crate::depth::depth_curves;
use crate::group::by_cell;
use crate::level::set_levels;
use crate::rank::rank;
use crate::row::{UNKNOWN, tell_models_apart};
use crate::tradeoff::tradeoffs;
use crate::{
    ChangePoint, DepthCurve, Noise, Ranking, Row, SoakCurve, Tradeoff, Versus, View, soaks,
};

/// Records side by side, a row a cell.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Every cell: measured, failed, skipped or invalid. Sorted by model, test, device.
    pub rows: Vec<Row>,
    /// Names of the settings that take more than one value here.
    pub varying: Vec<&'static str>,
    /// Who is fastest, per machine, model and test.
    pub rankings: Vec<Ranking>,
    /// The noise floor of each machine, or why it is not known.
    pub noise: BTreeMap<String, Known<Noise>>,
    /// What formats of one model cost and buy, where their quality was asked for.
    pub tradeoffs: Vec<Tradeoff>,
    /// Speed against context depth, where several depths were measured.
    pub depths: Vec<DepthCurve>,
    /// Soaks, the fastest in the long run first.
    pub soaks: Vec<SoakCurve>,
    /// Where stored runs of these cells changed, as far as whoever made it looked ([`crate::history`]).
    pub history: Vec<ChangePoint>,
    /// What backends say they hold against what the system saw, where whoever made it asked ([`crate::memory::reconciled`]).
    pub memory: Vec<crate::memory::Reconciled>,
}

impl Comparison {
    /// Compares records; their order does not matter.
    pub fn of(records: &[Record]) -> Comparison {
        View::default().compare(records)
    }

    pub(crate) fn seen(records: &[Record], view: &View) -> Comparison {
        let mut rows: Vec<Row> =
            by_cell(records).iter().filter_map(|group| Row::of(group)).collect();
        tell_models_apart(&mut rows);
        if let Some(grid) = view.grid {
            rows.iter_mut().for_each(|row| row.estimate_co2(grid));
        }
        rows.sort_by_cached_key(|row| {
            let settings: Vec<String> = row.settings.values().cloned().collect();
            let threads = row.cell.options.threads;
            (row.model.clone(), row.cell.test, row.cell.device.clone(), threads, settings)
        });
        set_levels(&mut rows);
        let measured: Vec<Record> = view.noise.iter().chain(records).cloned().collect();
        let all = Noise::of(&measured);
        let rankings = rank(&rows, &all);
        view.hold(&mut rows, &rankings, &all);
        let tradeoffs = tradeoffs(&rows, &all);
        let depths = depth_curves(&rows, records);
        let noise = machines(&rows).into_iter().map(|name| (name.clone(), of_machine(&all, &name)));
        let (varying, noise, soaks) = (varying(&rows), noise.collect(), soaks(records));
        let (history, memory) = (Vec::new(), Vec::new());
        Comparison { varying, rankings, noise, tradeoffs, depths, soaks, history, memory, rows }
    }

    /// Every row that is held against a baseline, with its index.
    pub fn ratios(&self) -> impl Iterator<Item = (usize, &Row, &Versus)> {
        self.rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| Some((index, row, row.ratio.as_ref()?)))
    }

    /// Words that tell a row apart from others of its device, model and test: `kv f16, sequences 4`.
    pub fn setting(&self, row: &Row) -> String {
        let words = self.varying.iter().filter_map(|&name| {
            let value = row.settings.get(name)?;
            Some(format!("{} {value}", name.trim_end_matches(" asked")))
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

fn machines(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row.settings.get("machine").cloned()).collect()
}

/// Another machine's noise says nothing about this one's.
fn of_machine(all: &[Noise], machine: &str) -> Known<Noise> {
    match (all.iter().find(|noise| noise.machine == machine), all.first()) {
        (Some(noise), _) => Known::Value(noise.clone()),
        (None, Some(other)) => Known::unavailable(format!(
            "not of this machine: measured on {}, {}; measure this one by yardstick run --noise",
            other.machine, other.measured
        )),
        (None, None) => Known::unavailable("not measured: yardstick run --noise"),
    }
}

/// Settings that tell rows apart. What a foreign program left unsaid tells nothing apart, nor that it is another program than
/// ours; imported rows are told from each other like ours are.
fn varying(rows: &[Row]) -> Vec<&'static str> {
    let mut values: BTreeMap<&'static str, [BTreeSet<&str>; 2]> = BTreeMap::new();
    for row in rows {
        for (name, value) in &row.settings {
            let [ours, foreign] = values.entry(name).or_default();
            match &row.origin {
                None => ours.insert(value),
                Some(_) if value == UNKNOWN => false,
                Some(_) => foreign.insert(value),
            };
        }
    }
    // A setting that only some rows have tells them apart as well; that a test has no data, its name tells.
    let lacks = |name: &str| {
        !["data", "reference"].contains(&name)
            && rows.iter().any(|row| !row.settings.contains_key(name))
    };
    let varies = |(name, values): &(&str, [BTreeSet<&str>; 2])| match *name {
        "program" => several_programs(rows),
        name => values.iter().any(|values| values.len() > 1) || lacks(name),
    };
    values.into_iter().filter(varies).map(|(name, _)| name).collect()
}

/// Several programs ran the same device: where each device has its own, the device's name says it.
fn several_programs(rows: &[Row]) -> bool {
    let mut programs: BTreeMap<&str, BTreeSet<Option<&String>>> = BTreeMap::new();
    for row in rows {
        programs.entry(&row.cell.device).or_default().insert(row.settings.get("program"));
    }
    programs.values().any(|programs| programs.len() > 1)
}
