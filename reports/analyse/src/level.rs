//! Levels of shared rows: what somebody else reported, and whether it was measured again here.

use serde::Serialize;

use crate::Row;

/// How far a shared row is to be believed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "level", rename_all = "kebab-case")]
pub enum Level {
    /// Only whoever shared it says so.
    SelfReported {
        /// Why it counts as no more.
        why: String,
    },
    /// The same cell was measured here, on a machine of the same processor and memory, and the intervals overlap.
    Reproduced {
        /// Index of the row that was measured here.
        by: usize,
    },
}

impl Level {
    /// `self-reported`, `reproduced`.
    pub fn name(&self) -> &'static str {
        match self {
            Level::SelfReported { .. } => "self-reported",
            Level::Reproduced { .. } => "reproduced",
        }
    }
}

/// Sets the level of every shared row by the rows that were measured here.
pub(crate) fn set_levels(rows: &mut [Row]) {
    for index in 0..rows.len() {
        if rows[index].is_shared() && rows[index].outcome.is_ok() {
            let level = level(rows, &rows[index]);
            rows[index].not_ranked = Some(match &level {
                Level::SelfReported { why } => format!("self-reported: {why}"),
                Level::Reproduced { .. } => {
                    "measured elsewhere; reproduced here by its own row".to_owned()
                }
            });
            rows[index].level = Some(level);
        }
    }
}

fn level(rows: &[Row], shared: &Row) -> Level {
    let settings = |row: &Row| {
        let mut settings = row.settings.clone();
        // Another version of the program may reproduce it as well.
        settings.retain(|name, _| !["program", "source"].contains(name));
        settings
    };
    let same = |row: &Row| {
        !row.is_shared()
            && row.origin.is_none()
            && row.outcome.is_ok()
            && row.cell.key() == shared.cell.key()
            && settings(row) == settings(shared)
    };
    let not = |why: &str| Level::SelfReported { why: why.to_owned() };
    let Some(by) = rows.iter().position(same) else {
        return not("the same cell was not measured on such a machine among these records");
    };
    let metric = shared.headline();
    let interval = |row: &Row| row.estimate(metric).and_then(|e| e.interval.value().cloned());
    match (interval(shared), interval(&rows[by])) {
        (Some(there), Some(here)) if there.low <= here.high && here.low <= there.high => {
            Level::Reproduced { by }
        }
        (Some(_), Some(_)) => not("measured here too, and the intervals do not overlap"),
        _ => not("measured here too, with too few launches on a side for an interval"),
    }
}

/// The place of a row's values: `shared` for what was measured elsewhere.
pub(crate) fn source(shared: Option<&yardstick_record::Shared>) -> Option<String> {
    shared.map(|shared| format!("shared, {}", shared.profile.name()))
}
