//! The block of tasks: a set of questions split into the tasks they name.

use yardstick_analyse::{Comparison, Row, TaskScore, task_scores};
use yardstick_record::Metric;

use super::Block;
use super::cells::{self, Notes};
use crate::html::label;
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 40;

/// Every row whose questions name tasks.
pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let scores: Vec<(&Row, TaskScore<'_>)> = comparison
        .rows
        .iter()
        .filter(|row| row.cell.model.random_weights.is_none())
        .flat_map(|row| task_scores(row).into_iter().map(move |score| (row, score)))
        .collect();
    if scores.is_empty() {
        return None;
    }
    let heads = vec![
        cells::words("model"),
        cells::words("task"),
        cells::number("right".to_owned(), 0),
        cells::number("accuracy".to_owned(), 0),
        super::Head { gives_way: 2, ..cells::words("device") },
        super::Head { gives_way: 3, ..cells::words("questions") },
    ];
    let mut notes = Notes::default();
    let line = |(row, score): &(&Row, TaskScore<'_>)| {
        let questions = row.settings.get("data").map_or("", String::as_str);
        vec![
            cells::text(elide(&row.model, NAME)),
            cells::text(elide(score.task, NAME)),
            cells::text(format!("{} of {}", score.right, score.n)),
            cells::estimate(Metric::Accuracy, &score.accuracy.clone().into(), &mut notes),
            cells::text(label(comparison, row)),
            cells::text(elide(questions, NAME)),
        ]
    };
    let rows = scores.iter().map(line).collect();
    let mut block = Block::new("Tasks within the questions".to_owned(), heads).fill(rows, notes);
    block.remarks.push("± is the farther end of Wilson's 95 % interval.".to_owned());
    Some(block)
}
