//! The comparison: rows side by side, and who is first.

use std::collections::{BTreeMap, BTreeSet};

use yardstick_record::Record;

use crate::group::by_cell;
use crate::rank::rank;
use crate::row::tell_models_apart;
use crate::{Ranking, Row};

/// Records side by side, a row a cell.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Every cell: measured, failed, skipped or invalid. Sorted by model, test, device.
    pub rows: Vec<Row>,
    /// Names of the settings that take more than one value here.
    pub varying: Vec<&'static str>,
    /// Who is fastest, per machine, model and test.
    pub rankings: Vec<Ranking>,
}

impl Comparison {
    /// Compares records; their order does not matter.
    pub fn of(records: &[Record]) -> Comparison {
        Comparison::arranged(by_cell(records).iter().filter_map(|group| Row::of(group)).collect())
    }

    /// Compares runs: a cell that several runs measured has a row in each, told apart by the setting `run`.
    pub fn by_run(records: &[Record]) -> Comparison {
        let mut runs: BTreeMap<&str, Vec<Record>> = BTreeMap::new();
        for record in records {
            runs.entry(&record.run.id).or_default().push(record.clone());
        }
        let mut rows = Vec::new();
        for (run, records) in runs {
            for mut row in by_cell(&records).iter().filter_map(|group| Row::of(group)) {
                row.settings.insert("run", run.to_owned());
                rows.push(row);
            }
        }
        Comparison::arranged(rows)
    }

    fn arranged(mut rows: Vec<Row>) -> Comparison {
        tell_models_apart(&mut rows);
        rows.sort_by_cached_key(|row| {
            let settings: Vec<String> = row.settings.values().cloned().collect();
            let threads = row.cell.options.threads;
            (row.model.clone(), row.cell.test, row.cell.device.clone(), threads, settings)
        });
        let (varying, rankings) = (varying(&rows), rank(&rows));
        Comparison { rows, varying, rankings }
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

fn varying(rows: &[Row]) -> Vec<&'static str> {
    let mut values: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in rows.iter().flat_map(|row| &row.settings) {
        values.entry(name).or_default().insert(value);
    }
    values.into_iter().filter(|(_, values)| values.len() > 1).map(|(name, _)| name).collect()
}
