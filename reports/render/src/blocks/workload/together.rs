//! Several processes at once: a line a process.

use yardstick_analyse::{Comparison, WorkloadView};
use yardstick_api::Known;

use super::{Block, NAME, Notes, cells, number_head, percent};
use crate::number::digits;
use crate::text::elide;

pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let heads = vec![
        cells::words("test"),
        super::Head { gives_way: 2, ..cells::words("device") },
        cells::words("process"),
        number_head("t/s alone", 0),
        number_head("t/s together", 0),
        number_head("lost", 0),
    ];
    let (mut rows, mut sentences, mut notes) = (Vec::new(), Vec::new(), Notes::default());
    for row in &comparison.rows {
        let Some(WorkloadView::Together(view)) = &row.workload else { continue };
        for (model, alone, together) in &view.members {
            let slower = match (alone.value(), together.value()) {
                (Some(alone), Some(together)) => Known::Value(100.0 * (1.0 - together / alone)),
                _ => Known::unavailable("one of both is missing"),
            };
            rows.push(vec![
                cells::text(row.cell.test.to_string()),
                cells::text(super::device(comparison, row)),
                cells::text(elide(model, NAME)),
                cells::known(alone, &mut notes, |speed| digits(*speed)),
                cells::known(together, &mut notes, |speed| digits(*speed)),
                cells::known(&slower, &mut notes, |slower| percent(*slower)),
            ]);
        }
        if let (Some(total), Some(slowdown)) = (view.total.value(), view.slowdown.value()) {
            sentences.push(format!(
                "{} processes of {} on {} reach {} tokens/s in all; each has lost {} of its speed alone.",
                view.members.len(),
                elide(&row.model, NAME),
                super::device(comparison, row),
                digits(*total),
                percent(*slowdown),
            ));
        }
    }
    if rows.is_empty() {
        return None;
    }
    let title = "Several processes at once".to_owned();
    Some(Block { sentences, ..Block::new(title, heads).fill(rows, notes) })
}
