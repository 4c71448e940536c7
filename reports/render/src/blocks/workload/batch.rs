//! Several sequences at once: what all of them reach together, and each of them.

use std::collections::BTreeMap;

use yardstick_analyse::{Comparison, Row};
use yardstick_record::{Metric, Test};

use super::{Block, NAME, Notes, cells, number_head};
use crate::number::digits;
use crate::text::elide;

/// Rows that differ in nothing but their sequences, where there are two or more.
pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in comparison.rows.iter().filter(|row| is_decode(row)) {
        groups.entry(key(row)).or_default().push(row);
    }
    groups.retain(|_, rows| rows.len() > 1);
    if groups.is_empty() {
        return None;
    }
    let heads = vec![
        cells::words("model"),
        super::Head { gives_way: 2, ..cells::words("device") },
        cells::words("test"),
        number_head("sequences", 0),
        number_head("t/s in all", 0),
        number_head("t/s each", 0),
        number_head("gain", 0),
    ];
    let mut notes = Notes::default();
    let mut rows = Vec::new();
    for mut group in groups.into_values() {
        group.sort_by_key(|row| row.cell.options.sequences);
        let one = group.iter().find(|row| row.cell.options.sequences == 1);
        let alone = one.and_then(|row| speed(row));
        rows.extend(group.iter().map(|row| line(row, alone, &mut notes)));
    }
    let mut block = Block::new("Several sequences at once".to_owned(), heads).fill(rows, notes);
    block.remarks.push(
        "Gain: tokens per second in all, against one sequence. Weights are read once for all sequences, keys and values for each."
            .to_owned(),
    );
    Some(block)
}

fn is_decode(row: &Row) -> bool {
    matches!(row.cell.test, Test::Generate { .. }) && speed(row).is_some()
}

fn speed(row: &Row) -> Option<f64> {
    row.estimate(Metric::TokensPerSecond).map(|estimate| estimate.median)
}

fn key(row: &Row) -> String {
    let mut settings = row.settings.clone();
    settings.remove("sequences");
    format!("{} {} {} {settings:?}", row.model, row.cell.device, row.cell.test)
}

fn line(row: &Row, alone: Option<f64>, notes: &mut Notes) -> Vec<super::Field> {
    let sequences = row.cell.options.sequences;
    let each = speed(row).map(|speed| speed / sequences.max(1) as f64);
    let gain = speed(row).zip(alone).map(|(speed, alone)| speed / alone);
    let gain = gain.map_or_else(
        || yardstick_api::Known::unavailable("one sequence alone was not measured"),
        yardstick_api::Known::Value,
    );
    let total = row.metrics.get(&Metric::TokensPerSecond).cloned();
    let total = total.unwrap_or_else(|| yardstick_api::Known::unavailable("not measured"));
    vec![
        cells::text(elide(&row.model, NAME)),
        cells::text(elide(&row.cell.device, NAME)),
        cells::text(row.cell.test.to_string()),
        cells::text(sequences.to_string()),
        cells::estimate(Metric::TokensPerSecond, &total, notes),
        cells::text(each.map_or_else(String::new, digits)),
        cells::known(&gain, notes, |gain| format!("{gain:.2} ×")),
    ]
}
