//! The block of agreements: how often a small model predicts what a large one does.

use yardstick_analyse::{Agreement, Comparison, agreements};
use yardstick_record::Metric;

use super::Block;
use super::cells::{self, Notes};
use crate::html::label;
use crate::number;
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 40;

/// Every model that was held against another.
pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let agreements = agreements(comparison);
    if agreements.is_empty() {
        return None;
    }
    let number = |title: &str, gives_way| cells::number(title.to_owned(), gives_way);
    let heads = vec![
        cells::words("small"),
        cells::words("large"),
        number("size", 2),
        number("same top 1, %", 0),
        number("same top 5, %", 3),
        number("KLD", 0),
        super::Head { gives_way: 4, ..cells::words("text") },
        super::Head { gives_way: 5, ..cells::words("device") },
    ];
    let mut notes = Notes::default();
    let line = |agreement: &Agreement<'_>| {
        let size = &agreement.row.cell.model.file_bytes;
        vec![
            cells::text(elide(agreement.small, NAME)),
            cells::text(elide(agreement.large, NAME)),
            cells::known(size, &mut notes, |bytes| number::bytes(*bytes as f64)),
            cells::estimate(Metric::Top1Agreement, agreement.top1, &mut notes),
            cells::estimate(Metric::Top5Agreement, agreement.top5, &mut notes),
            cells::estimate(Metric::KldMean, agreement.kld, &mut notes),
            cells::text(elide(agreement.data, NAME)),
            cells::text(label(comparison, agreement.row)),
        ]
    };
    let rows = agreements.iter().map(line).collect();
    let title = "How far a small model stands in for a large one".to_owned();
    let mut block = Block::new(title, heads).fill(rows, notes);
    block.remarks.push("Both read the same text; shares of positions.".to_owned());
    Some(block)
}
