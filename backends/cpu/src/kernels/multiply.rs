//! One task of a matrix product: some rows of weights times every column, by rows (decode) or by [panels] (prefill).

use std::ops::Range;

use yardstick_model::Format;

use super::Isa;
use super::activations::{Rows, Tiles};
use super::float::{dot, widen};
use super::integer::{Panel, ROWS};
use super::packed::{Order, Run};
use super::prefetch::{beginning, prefetch};
use super::table::{Float, Kernel, RowsFn};
use super::{packed, panels};
use crate::buffer::Buffer;

/// Columns up to which rows are multiplied one column at a time.
pub(crate) const FEW: usize = packed::COLUMNS;

/// Bytes of weights of one matrix that a thread streams at once in decode: each time another comes in between (gate and up are done
/// in turn) the processor's prefetchers start anew, which takes 1.3 us on Zen 4, so long; short enough to balance.
const TASK_BYTES: usize = 256 << 10;

/// And towards the end of a product, where one thread waits for another.
const LEAST_BYTES: usize = 32 << 10;

/// The columns.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// The first so many rows, few, private to the thread.
    Rows(&'a Rows, usize),
    /// One of those rows.
    Row(&'a Rows, usize),
    /// Any number, shared by the crew, which has passed a barrier since they were written.
    Tiles(&'a Tiles, usize),
}

/// Where products go: column c, row r at `offset + c * stride + r`.
#[derive(Clone, Copy)]
pub(crate) struct Out<'a> {
    to: &'a Buffer<f32>,
    offset: usize,
    stride: usize,
}

impl<'a> Out<'a> {
    /// # Safety
    /// While this is used, nobody else reads or writes the rows it is given tasks for.
    pub(crate) unsafe fn new(to: &'a Buffer<f32>, offset: usize, stride: usize) -> Out<'a> {
        Out { to, offset, stride }
    }

    /// Rows `row ..` of column `column`, to write.
    #[allow(clippy::mut_from_ref, reason = "rows are the task's own, as `new` was promised")]
    pub(crate) fn rows(&self, column: usize, rows: Range<usize>) -> &mut [f32] {
        assert!(rows.end <= self.stride);
        let at = self.offset + column * self.stride;
        // SAFETY: the rows are the task's own (`new`).
        unsafe { self.to.write(at + rows.start..at + rows.end) }
    }
}

/// The weights of a product: `bytes` holds all rows of `cols`, block after block as in the file, or packed in panels.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) kernel: Kernel,
    pub(crate) format: Format,
    pub(crate) cols: usize,
    /// Of the panels; `None`: rows.
    pub(crate) packed: Option<Order>,
    pub(crate) bytes: &'a [u8],
}

/// Rows of a task, a multiple of 16, and how many tasks a thread may take at once, when so many threads share a product of `total`
/// bytes. A row of all matrices that are multiplied together has `row_bytes`. With few columns `few` says how many matrices that
/// are, and of what the rows must be a multiple.
pub(crate) fn task_rows(
    row_bytes: usize,
    few: Option<(usize, usize)>,
    (total, threads): (usize, usize),
) -> (usize, usize) {
    let share = total / threads;
    let Some((matrices, unit)) = few else {
        return (panels::task_rows(share / row_bytes.max(1)), 1);
    };
    let rows = |bytes: usize| (bytes / row_bytes.max(1)).next_multiple_of(unit).max(unit);
    if threads == 1 {
        // Alone, a thread has nobody to wait for.
        return (rows(share / 4), 1);
    }
    let least = rows(LEAST_BYTES * matrices);
    let most = rows((share / 4).min(TASK_BYTES * matrices));
    (least, (most / least).max(1))
}

impl Weights<'_> {
    /// Columns `deep`, within a band, of a packed panel.
    pub(super) fn chunks(&self, order: Order, panel: usize, deep: Range<usize>) -> &[u8] {
        let panels = self.bytes.len() / (self.format.row_bytes(self.cols) * ROWS).max(1);
        &self.bytes[order.place(self.format, self.cols, panels, panel, deep)]
    }

    /// The panels of some packed rows.
    fn run(&self, order: Order, rows: Range<usize>) -> Run<'_> {
        let panel = self.format.row_bytes(self.cols) * ROWS;
        let panels = rows.start / ROWS..rows.end.div_ceil(ROWS);
        let at_end = panels.end * panel == self.bytes.len();
        assert!(rows.start.is_multiple_of(order.rows()), "row {} is within a stack", rows.start);
        assert!(at_end || rows.end.is_multiple_of(order.rows()), "row {} too", rows.end);
        let bytes = &self.bytes[panels.start * panel..panels.end * panel];
        Run { bytes, cols: self.cols, panels: panels.len(), order }
    }

    /// Asks for the first bytes of some rows, which are read next: where a stream begins the processor waits for memory, and
    /// its prefetchers have nothing to follow yet.
    pub(crate) fn fetch(&self, rows: Range<usize>) {
        let start = rows.start * self.format.row_bytes(self.cols);
        let first = self.bytes.get(start..).unwrap_or_default();
        let lines = first[..first.len().min(beginning())].chunks(64);
        lines.for_each(|line| prefetch(line.as_ptr()));
    }
}

/// Multiplies `rows` of the weights by all columns.
pub(crate) fn multiply(
    isa: Isa,
    weights: &Weights<'_>,
    rows: Range<usize>,
    input: Input<'_>,
    out: &Out<'_>,
    panel: &mut Panel,
) {
    let (x, columns) = match input {
        Input::Rows(x, count) => (x, 0..count),
        Input::Row(x, column) => (x, column..column + 1),
        Input::Tiles(x, count) => {
            return panels::multiply(isa, weights, rows, x, count, out, panel);
        }
    };
    if let (Some(order), Some(kernel)) = (weights.packed, weights.kernel.packed_rows()) {
        return by_packed_rows(kernel, order, weights, rows, x, columns, out);
    }
    match weights.kernel {
        Kernel::Integer(kernel) => by_rows(kernel.dot, weights, rows, x, columns, out),
        Kernel::Float(Float { dot: Some(dot), .. }) => by_rows(dot, weights, rows, x, columns, out),
        Kernel::Float(_) => by_decoded_rows(isa, weights, rows, x, columns, out, panel),
    }
}

fn by_rows(
    dot: super::table::DotFn,
    weights: &Weights<'_>,
    rows: Range<usize>,
    x: &Rows,
    columns: Range<usize>,
    out: &Out<'_>,
) {
    let stride = weights.format.row_bytes(weights.cols);
    let row = |r: usize| &weights.bytes[r * stride..(r + 1) * stride];
    let last = rows.end - 1;
    for first in rows.clone().step_by(4) {
        // Short of four, the last row is repeated.
        let four: [&[u8]; 4] = std::array::from_fn(|i| row((first + i).min(last)));
        let n = (rows.end - first).min(4);
        for (to, c) in columns.clone().enumerate() {
            // SAFETY: a kernel is only made with the proof of its instruction set.
            let products = unsafe { dot(four, weights.cols, &x.row(c)) };
            out.rows(to, first..first + n).copy_from_slice(&products[..n]);
        }
    }
}

/// Starts at a stack, and ends at the end of one.
fn by_packed_rows(
    kernel: RowsFn,
    order: Order,
    weights: &Weights<'_>,
    rows: Range<usize>,
    x: &Rows,
    columns: Range<usize>,
    out: &Out<'_>,
) {
    let run = weights.run(order, rows.clone());
    for (pass, some) in columns.clone().step_by(packed::COLUMNS).enumerate() {
        let count = (columns.end - some).min(packed::COLUMNS);
        let mut each = [x.row(some); packed::COLUMNS];
        for (c, each) in each.iter_mut().enumerate().take(count).skip(1) {
            *each = x.row(some + c);
        }
        let mut to: [&mut [f32]; packed::COLUMNS] = Default::default();
        for (c, to) in to.iter_mut().enumerate().take(count) {
            *to = out.rows(pass * packed::COLUMNS + c, rows.clone());
        }
        // SAFETY: a kernel is only made with the proof of its instruction set.
        unsafe { kernel(&run, &each[..count], &mut to[..count]) };
    }
}

fn by_decoded_rows(
    isa: Isa,
    weights: &Weights<'_>,
    rows: Range<usize>,
    x: &Rows,
    columns: Range<usize>,
    out: &Out<'_>,
    panel: &mut Panel,
) {
    let stride = weights.format.row_bytes(weights.cols);
    let decoded = &mut panel.row.all_mut()[..weights.cols];
    for r in rows {
        decode(isa, weights.format, &weights.bytes[r * stride..(r + 1) * stride], decoded);
        for (to, c) in columns.clone().enumerate() {
            out.rows(to, r..r + 1)[0] = dot(isa, decoded, x.row(c).float);
        }
    }
}

/// A row as f32.
pub(crate) fn decode(isa: Isa, format: Format, bytes: &[u8], out: &mut [f32]) {
    match format {
        Format::F16 => {
            // Not aligned as u16 in general: in pieces through the stack.
            for (bytes, out) in bytes.chunks(512).zip(out.chunks_mut(256)) {
                let mut half = [0_u16; 256];
                for (half, two) in half.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *half = u16::from_le_bytes(*two);
                }
                widen(isa, &half[..out.len()], out);
            }
        }
        _ => format.decode(bytes, out),
    }
}
