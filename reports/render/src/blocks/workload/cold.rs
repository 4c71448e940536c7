//! Cold starts: a line a row.

use yardstick_analyse::{Comparison, WorkloadView};
use yardstick_record::Metric;

use super::{Block, NAME, Notes, cells, number_head, percent, time};
use crate::text::elide;

/// Share of a file in the page cache beyond which a start is not a cold one, percent.
const STILL: f64 = 5.0;

pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let heads = vec![
        cells::words("model"),
        super::Head { gives_way: 2, ..cells::words("device") },
        number_head("starts", 3),
        number_head("whole", 0),
        number_head("process", 0),
        number_head("load", 0),
        number_head("first token", 0),
        number_head("file cached", 0),
    ];
    let (mut rows, mut sentences, mut notes) = (Vec::new(), Vec::new(), Notes::default());
    for row in &comparison.rows {
        let Some(WorkloadView::Cold(view)) = &row.workload else { continue };
        let whole = row.metrics.get(&Metric::TimeNs).cloned();
        let whole = whole.unwrap_or_else(|| yardstick_api::Known::unavailable("not measured"));
        if view.cached_percent.value().is_some_and(|share| *share > STILL) {
            sentences.push(format!(
                "{} on {} did not start cold: the page cache kept its files, as it does while another process has them mapped.",
                elide(&row.model, NAME),
                super::device(comparison, row),
            ));
        }
        let [hello, load, first] = &view.parts_ns;
        rows.push(vec![
            cells::text(elide(&row.model, NAME)),
            cells::text(super::device(comparison, row)),
            cells::text(view.n.to_string()),
            cells::estimate(Metric::TimeNs, &whole, &mut notes),
            time(hello, &mut notes),
            time(load, &mut notes),
            time(first, &mut notes),
            cells::known(&view.cached_percent, &mut notes, |share| percent(*share)),
        ]);
    }
    if rows.is_empty() {
        return None;
    }
    let mut block = Block::new("Cold starts".to_owned(), heads).fill(rows, notes);
    block.sentences = sentences;
    block.remarks.push("From before the start of a fresh process to its first token; file cached: the share of the files of weights that the page cache still held before the start, at most.".to_owned());
    Some(block)
}
