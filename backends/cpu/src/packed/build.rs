//! Packs tensors into a region of memory, all threads at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::ptr::NonNull;

use yardstick_model::Model;

use super::{Place, Wanted};
use crate::kernels::integer::ROWS;
use crate::kernels::packed::pack_panels;
use crate::pool::Pool;

/// Bytes a task packs, about.
const TASK_BYTES: usize = 1 << 20;

/// Some panels of a tensor.
struct Task<'a> {
    wanted: &'a Wanted,
    rows: Range<usize>,
    /// Where in the region.
    to: Range<usize>,
}

/// The region's memory, written in disjoint pieces.
struct Region(NonNull<u8>);
// SAFETY: tasks write disjoint pieces (see `build`), and the region outlives the run.
unsafe impl Sync for Region {}

/// Writes the panels of every tensor to its place in `region`, which is zero before.
pub(super) fn build(
    model: &Model,
    wanted: &[Wanted],
    places: &BTreeMap<String, Place>,
    region: &mut [u8],
    pool: &mut Pool,
) -> Result<(), String> {
    let mut tasks = Vec::new();
    for wanted in wanted {
        let place = places.get(&wanted.tensor.name).ok_or("a tensor without a place")?;
        tasks.extend(cut(wanted, &place.bytes));
    }
    if tasks.iter().any(|task| task.to.end > region.len()) {
        return Err("panels beyond the end of their region".into());
    }
    let base = Region(NonNull::from(&mut *region).cast());
    let base = &base;
    let done = pool.run(|member| {
        member.share(tasks.len(), |i| {
            let Task { wanted, rows, to } = &tasks[i];
            let stride = wanted.row_bytes();
            let from = &model.gguf().bytes(&wanted.tensor)[rows.start * stride..rows.end * stride];
            // SAFETY: within the region (checked above); places of tensors do not overlap, nor do the tasks of one, and each
            // task is taken once.
            let to =
                unsafe { std::slice::from_raw_parts_mut(base.0.as_ptr().add(to.start), to.len()) };
            let shape = (wanted.tensor.format, wanted.cols);
            pack_panels(wanted.pack, from, shape, wanted.order, to);
        });
    });
    for wanted in wanted {
        model.gguf().release(&wanted.tensor);
    }
    done.map_err(|_| "a thread panicked while packing".to_owned())
}

/// The tasks of a tensor: whole stacks of panels.
fn cut<'a>(wanted: &'a Wanted, place: &Range<usize>) -> Vec<Task<'a>> {
    let stride = wanted.row_bytes().max(1);
    let stack = wanted.order.rows();
    let each = (TASK_BYTES / stride).next_multiple_of(stack).max(stack);
    let task = |first: usize| {
        let rows = first..(first + each).min(wanted.rows);
        let bytes = rows.len().next_multiple_of(ROWS) * stride;
        let at = place.start + first * stride;
        Task { wanted, rows, to: at..at + bytes }
    };
    (0..wanted.rows).step_by(each).map(task).collect()
}
