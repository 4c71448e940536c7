//! Prefill: some rows of weights times many columns.
//!
//! Blocked for the caches: [`DEPTH`] weights of a pair of panels stay in the first level while they meet all columns, [`DEPTH`]
//! values of [`AT_ONCE`] columns and the sums of [`TASK`] rows in the second while they meet each other. Sums are kept tile
//! after tile and go to their place once, in rows as long as the task has.

use std::ops::Range;

use super::Isa;
use super::activations::{Forms, Tiles};
use super::float::{brain_lines, brain_product, product, turn};
use super::integer::{Blocks, DEPTH, FLOAT_DEPTH, PAIR, Panel, Product, ROWS, TILE, Unpacked};
use super::isa::per_isa;
use super::multiply::{Out, Weights, decode};
use super::prefetch::prefetch;
use super::table::{Float, Integer, Kernel, WideProduct};
use super::wide::requantise;
use crate::amx;

/// Rows of a pair of panels.
const ROWS_OF_PAIR: usize = ROWS * PAIR;
/// Most rows of a task.
pub(super) const TASK: usize = 4 * ROWS_OF_PAIR;
/// Columns taken at once, in tiles.
pub(super) const AT_ONCE: usize = 512 / TILE;

/// Sums of a task, (pairs, tiles): 64 KiB a pair.
pub(crate) type Sums = Box<[[Product; PAIR]]>;

/// Room for the sums of a task.
pub(super) fn sums() -> Sums {
    vec![[[[0.0; ROWS]; TILE]; PAIR]; TASK / ROWS_OF_PAIR * AT_ONCE].into_boxed_slice()
}

/// Bytes of that.
pub(super) const SUMS_BYTES: u64 = (TASK * AT_ONCE * TILE * 4) as u64;

/// Rows a task should take when a thread's share is `share` rows: enough tasks that a late one does not hold up the crew.
pub(super) fn task_rows(share: usize) -> usize {
    (share / 4 / ROWS_OF_PAIR * ROWS_OF_PAIR).clamp(ROWS_OF_PAIR, TASK)
}

/// Multiplies `rows` of the weights, from a panel on, by the first `count` columns.
pub(super) fn multiply(
    isa: Isa,
    weights: &Weights<'_>,
    rows: Range<usize>,
    x: &Tiles,
    count: usize,
    out: &Out<'_>,
    panel: &mut Panel,
) {
    let depth = if matches!(weights.kernel, Kernel::Float(_)) { FLOAT_DEPTH } else { DEPTH };
    let unit = weights.kernel.amx();
    let tiles = count.div_ceil(TILE);
    for first_row in rows.clone().step_by(TASK) {
        let rows = first_row..(first_row + TASK).min(rows.end);
        for first in (0..tiles).step_by(AT_ONCE) {
            let some = first..(first + AT_ONCE).min(tiles);
            let mut steps = steps(rows.clone(), weights.cols, depth).peekable();
            steps.peek().iter().flat_map(|first| first.lines(weights)).for_each(prefetch);
            while let Some(Step { pair, rows, deep }) = steps.next() {
                open(isa, weights, rows, &deep, panel);
                let Panel { pair: panels, sums, .. } = panel;
                let sums = &mut sums[pair * AT_ONCE..][..some.len()];
                if deep.start == 0 {
                    sums.fill([[[0.0; ROWS]; TILE]; PAIR]);
                }
                let mut ahead = steps.peek().map(|next| next.lines(weights));
                let each =
                    (weights.format.row_bytes(depth) * ROWS_OF_PAIR / 64).div_ceil(some.len());
                let mut fetch = |n: usize| ahead.iter_mut().flatten().take(n).for_each(prefetch);
                if let Some((amx, planes)) = unit {
                    let (columns, cols, eights) = (x.matrix(), weights.cols, some.clone());
                    let work = amx::Work { planes, pair: panels, columns, cols, deep, eights };
                    // SAFETY: columns were written before the barrier (`Input::Tiles`), panels are this thread's.
                    unsafe { amx::multiply(isa, amx, &work, sums, || fetch(each * amx::EIGHTS)) };
                    continue;
                }
                for (tile, sums) in some.clone().zip(sums) {
                    fetch(each);
                    add(isa, weights, panels, &deep, x, tile, sums);
                }
            }
            store(isa, &panel.sums, rows.clone(), some, count, out);
        }
    }
}

/// Some weights of a pair of panels, the pair'th of a task, that meet all columns before the next do.
struct Step {
    pair: usize,
    rows: Range<usize>,
    deep: Range<usize>,
}

/// The steps of a task.
fn steps(rows: Range<usize>, cols: usize, depth: usize) -> impl Iterator<Item = Step> {
    (0..cols).step_by(depth).flat_map(move |from| {
        let deep = from..(from + depth).min(cols);
        rows.clone().step_by(ROWS_OF_PAIR).enumerate().map(move |(pair, first)| {
            let rows = first..(first + ROWS_OF_PAIR).min(rows.end);
            Step { pair, rows, deep: deep.clone() }
        })
    })
}

impl Step {
    /// Where its weights lie, cache line after cache line. They are asked for while the step before is multiplied: a step takes
    /// so little of each stream that the processor's own prefetchers come too late.
    fn lines<'a>(&self, weights: &'a Weights<'_>) -> impl Iterator<Item = *const u8> + use<'a> {
        let (deep, each) = (self.deep.clone(), if weights.packed.is_some() { ROWS } else { 1 });
        let pieces = self.rows.clone().step_by(each).map(move |row| match weights.packed {
            Some(order) => weights.chunks(order, row / ROWS, deep.clone()),
            None => {
                let of = |k: usize| weights.format.row_bytes(k);
                &weights.bytes[row * of(weights.cols)..][of(deep.start)..of(deep.end)]
            }
        });
        pieces.flat_map(|piece| piece.chunks(64)).map(|line| line.as_ptr())
    }
}

/// Weights `deep` of up to two panels, as the product reads them. A pair that lacks its second panel multiplies what the last
/// one left there, and [`store`] drops it.
fn open(
    isa: Isa,
    weights: &Weights<'_>,
    rows: Range<usize>,
    deep: &Range<usize>,
    panel: &mut Panel,
) {
    for (p, to) in panel.pair.iter_mut().enumerate() {
        let own = (rows.start + p * ROWS).min(rows.end)..rows.end;
        match weights.kernel {
            Kernel::Integer(kernel) => {
                unpack(kernel, weights, own, deep.clone(), to);
                match (kernel.wide, kernel.amx) {
                    (Some(WideProduct { grouping, .. }), _) => {
                        requantise(isa, grouping, to, deep.len());
                    }
                    (None, Some((_, grouping))) => amx::fold(isa, grouping, to, deep.len()),
                    (None, None) => {}
                }
                if kernel.amx.is_some() {
                    amx::pad(to, deep.len());
                }
            }
            Kernel::Float(float) => {
                lines(isa, weights, own, deep.clone(), panel.row.all_mut(), to);
                if float.brain.is_some() {
                    brain_lines(isa, &mut to.float.all_mut()[..deep.len() * ROWS]);
                }
                if float.amx.is_some() {
                    amx::pad_brain(to, deep.len());
                }
            }
        }
    }
}

/// Adds the products of weights and columns `deep`.
fn add(
    isa: Isa,
    weights: &Weights<'_>,
    panels: &mut [Unpacked; PAIR],
    deep: &Range<usize>,
    x: &Tiles,
    tile: usize,
    sums: &mut [Product; PAIR],
) {
    // SAFETY: tiles were written before the barrier (`Input::Tiles`); a kernel is only made with the proof of its instruction
    // set.
    unsafe {
        match weights.kernel {
            Kernel::Integer(Integer { wide: Some(wide), .. }) => {
                let tile = x.wide(tile, weights.cols).from(deep.start);
                (wide.product)(panels, deep.len(), &tile, sums);
            }
            Kernel::Integer(kernel) => {
                let forms = Forms { int8: true, ..Forms::default() };
                let tile = x.tile(tile, weights.cols, forms).from(deep.start);
                (kernel.product)(panels, deep.len(), &tile, sums);
            }
            Kernel::Float(Float { brain: Some(proof), .. }) => {
                let forms = Forms { brain: true, ..Forms::default() };
                let tile = x.tile(tile, weights.cols, forms).from(deep.start);
                brain_product(proof, panels, deep.len(), tile.brain, sums);
            }
            Kernel::Float(_) => {
                let forms = Forms { float: true, ..Forms::default() };
                let tile = x.tile(tile, weights.cols, forms).from(deep.start);
                product(isa, panels, deep.len(), tile.float, sums);
            }
        }
    }
}

/// Weights `deep` of a panel of rows, if there are any.
fn unpack(
    kernel: Integer,
    weights: &Weights<'_>,
    rows: Range<usize>,
    deep: Range<usize>,
    to: &mut Unpacked,
) {
    if rows.is_empty() {
        return;
    }
    // SAFETY: a kernel is only made with the proof of its instruction set.
    unsafe {
        if let Some(order) = weights.packed {
            (kernel.open)(weights.chunks(order, rows.start / ROWS, deep), to);
        } else {
            let (stride, len) =
                (weights.format.row_bytes(weights.cols), weights.format.block_len());
            let (first, count) = (deep.start / len, deep.len() / len);
            let n = rows.len().min(ROWS);
            let rows = &weights.bytes[rows.start * stride..(rows.start + n) * stride];
            (kernel.unpack)(Blocks { rows, row_bytes: stride, first, count }, to);
        }
    }
}

/// Weights `deep` of up to 16 rows as lines of f32; rows that are not there are zero, or left if there are none at all.
fn lines(
    isa: Isa,
    weights: &Weights<'_>,
    rows: Range<usize>,
    deep: Range<usize>,
    decoded: &mut [f32],
    to: &mut Unpacked,
) {
    if let Some(order) = weights.packed {
        if !rows.is_empty() {
            let values = &mut to.float.all_mut()[..deep.len() * ROWS];
            decode(isa, weights.format, weights.chunks(order, rows.start / ROWS, deep), values);
        }
        return;
    }
    let of = |k: usize| weights.format.row_bytes(k);
    let stride = of(weights.cols);
    for (r, decoded) in decoded.chunks_exact_mut(deep.len()).take(ROWS).enumerate() {
        if r < rows.len() {
            let bytes = &weights.bytes[(rows.start + r) * stride..][..stride];
            decode(isa, weights.format, &bytes[of(deep.start)..of(deep.end)], decoded);
        } else {
            decoded.fill(0.0);
        }
    }
    turn(isa, decoded, deep.len(), to.float.all_mut());
}

/// The sums of `rows` and some tiles of `count` columns, to their place.
fn store(
    isa: Isa,
    sums: &[[Product; PAIR]],
    rows: Range<usize>,
    tiles: Range<usize>,
    count: usize,
    out: &Out<'_>,
) {
    for (t, tile) in tiles.enumerate() {
        for c in 0..TILE.min(count - tile * TILE) {
            store_column(isa, &sums[t..], c, out.rows(tile * TILE + c, rows.clone()));
        }
    }
}

per_isa! {
    /// One column of a task, its first tile's sums first.
    fn store_column(sums: &[[Product; PAIR]], column: usize, to: &mut [f32]) = store_column_body;
}

#[inline(always)]
fn store_column_body(sums: &[[Product; PAIR]], column: usize, to: &mut [f32]) {
    let (whole, rest) = to.as_chunks_mut::<ROWS>();
    let of = |panel: usize| &sums[panel / PAIR * AT_ONCE][panel % PAIR][column];
    whole.iter_mut().enumerate().for_each(|(panel, to)| *to = *of(panel));
    if !rest.is_empty() {
        rest.copy_from_slice(&of(whole.len())[..rest.len()]);
    }
}
