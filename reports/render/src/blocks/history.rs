//! The block of history: where stored runs of the cells shown changed for good.

use yardstick_analyse::{ChangePoint, Comparison};

use super::cells;
use super::{Block, Field, Head};
use crate::number::scientific;
use crate::text::elide;

/// Changes shown; JSON has all.
const FEW: usize = 12;
/// Characters of a model's name, of a program's.
const NAME: usize = 32;
const PROGRAM: usize = 36;

/// The latest changes; none where there are none.
pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    if comparison.history.is_empty() {
        return None;
    }
    let heads = vec![
        cells::words("model and test"),
        cells::words("device"),
        cells::words("since"),
        cells::words("speed"),
        Head { gives_way: 2, ..cells::words("runs before, after") },
        Head { gives_way: 3, ..cells::words("program since") },
        Head { gives_way: 4, ..cells::words("p") },
    ];
    let mut block = Block::new("History: where stored runs changed".to_owned(), heads);
    block.rows = comparison.history.iter().take(FEW).map(line).collect();
    block.remarks.push(
        "Change points over the latest stored runs on one machine (energy statistic, Welch's t, p at most 0.001, 3 % at least). A hint, not a verdict: \
        runs of different days differ in more than the program; yardstick gate compares by turns."
            .to_owned(),
    );
    Some(block)
}

fn line(change: &ChangePoint) -> Vec<Field> {
    let (ratio, word) = match change.speed >= 1.0 {
        true => (change.speed, "faster"),
        false => (1.0 / change.speed, "slower"),
    };
    let day: String = change.started.chars().take(10).collect();
    let program = match change.program == change.program_before {
        true => "the same".to_owned(),
        false => elide(&change.program, PROGRAM),
    };
    [
        format!("{} {}", elide(&change.model, NAME), change.test),
        elide(&change.device, NAME),
        elide(&day, 10),
        format!("{ratio:.2}× {word}"),
        format!("{}, {}", change.before, change.after),
        program,
        scientific(change.p),
    ]
    .into_iter()
    .map(cells::text)
    .collect()
}
