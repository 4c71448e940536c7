//! Samples that count: those that no outside evidence speaks against, where enough of them are left.

use yardstick_record::{Record, Sample};

/// Fewest unmarked samples that stand for a launch.
const LEAST: usize = 5;

/// Its samples are of different things, of which none may be left out.
fn whole(record: &Record) -> bool {
    record.cell.test.is_quality() || record.cell.test.is_workload()
}

/// The samples of a launch that its values come from. Marked ones are set apart by what the machine did, never by their own
/// value; where fewer than half, or fewer than five, are unmarked, the launch is what it is and all of them count.
pub(crate) fn kept(record: &Record) -> Vec<&Sample> {
    let unmarked: Vec<&Sample> =
        record.samples.iter().filter(|sample| sample.marks.is_empty()).collect();
    // A soak is a curve over time: a gap in it would be a guess.
    let enough = unmarked.len() >= LEAST && 2 * unmarked.len() >= record.samples.len();
    match enough && record.soak.is_none() && !whole(record) {
        true => unmarked,
        false => record.samples.iter().collect(),
    }
}
