//! Rows against keys and values one after the other, block by block: scores, weights, and the weighted values added to faded sums.

use std::ops::Range;

use super::softmax::{Running, weigh};
use super::tile::{Lines, Rows, product};
use super::vector::{Element, Vector};
use super::{Head, Job, KEYS, ROWS, run};
use crate::kernels::elementwise::soft_cap;
use crate::kernels::prefetch::{FEW, NEAR, ONCE, hints};
use crate::kernels::{Avx512Bf16, Isa};
use crate::kv::{LINE, value_width};

/// Some keys one after the other, their values, and who looks at them.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) isa: Isa,
    pub(super) brain: Option<Avx512Bf16>,
    pub(super) at: Head<'a>,
    pub(super) rows: usize,
    /// The first position, and how many there are.
    pub(super) start: usize,
    pub(super) count: usize,
    pub(super) queries: &'a [f32],
    pub(super) sees: &'a [(usize, usize); ROWS],
}

/// What a piece changes.
pub(super) struct State<'a> {
    /// (ROWS, KEYS)
    pub(super) scores: &'a mut [f32],
    pub(super) sums: &'a mut [f32],
    pub(super) running: &'a mut [Running; ROWS],
}

/// All rows against one piece.
pub(super) fn attend_piece<E: Element>(
    work: &Piece<'_>,
    keys: &[E],
    values: &[E],
    state: State<'_>,
) {
    let (lines, width) = (work.count.div_ceil(LINE), value_width(work.at.value_dim));
    assert!(keys.len() * E::EACH >= lines * LINE * work.at.key_dim);
    assert!(values.len() * E::EACH >= work.count.next_multiple_of(KEYS) * width);
    let Piece { isa, brain, .. } = *work;
    match hints() {
        NEAR if E::STREAMED => run(isa, brain, Tiles::<E, NEAR> { work, keys, values, state }),
        ONCE if E::STREAMED => run(isa, brain, Tiles::<E, ONCE> { work, keys, values, state }),
        _ => run(isa, brain, Tiles::<E, FEW> { work, keys, values, state }),
    }
}

/// Rows against a piece, checked; the next asked for as `HINTS` says.
struct Tiles<'a, E, const HINTS: u8> {
    work: &'a Piece<'a>,
    keys: &'a [E],
    values: &'a [E],
    state: State<'a>,
}

impl<E: Element, const HINTS: u8> Job for Tiles<'_, E, HINTS> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Tiles { work, keys, values, mut state } = self;
        let Piece { at, rows, start, count, sees, .. } = *work;
        let (key, value) = (at.key_dim / E::EACH, value_width(at.value_dim) / E::EACH);
        let (whole, most) = V::ROWS;
        let tiles = if rows <= whole { 1 } else { rows.div_ceil(most) };
        for at in (0..count).step_by(KEYS) {
            let block = Block {
                start: start + at,
                count: (count - at).min(KEYS),
                keys: &keys[at * key..],
                values: &values[at * value..],
            };
            for tile in 0..tiles {
                let rows = rows * tile / tiles..rows * (tile + 1) / tiles;
                if sees[rows.end - 1].1 > block.start {
                    // SAFETY: the caller's; the lengths were checked.
                    unsafe { tile_of::<V, E, HINTS>(work, &block, rows, &mut state) };
                }
            }
        }
    }
}

/// Up to [`KEYS`] positions of a piece, and what follows them.
struct Block<'a, E> {
    start: usize,
    count: usize,
    keys: &'a [E],
    values: &'a [E],
}

/// Some rows: scores, weights, and the weighted values added to the faded sums.
///
/// # Safety
/// The features of `V`; keys, values and state are long enough; at most `V::ROWS.0` rows.
#[inline(always)]
unsafe fn tile_of<V: Vector, E: Element, const HINTS: u8>(
    work: &Piece<'_>,
    block: &Block<'_, E>,
    rows: Range<usize>,
    state: &mut State<'_>,
) {
    let Piece { at, queries, .. } = *work;
    let Block { count, keys, values, .. } = *block;
    let width = value_width(at.value_dim);
    let mut fade = [1.0; 8];
    // SAFETY: these rows of every buffer are there; `scores` is (rows, KEYS).
    unsafe {
        let [next_keys, next_values] = next::<E, HINTS>(at.key_dim, width, keys, values);
        let weighted = Lines {
            data: values.as_ptr(),
            n: count.div_ceil(E::TOGETHER),
            lines: width / LINE,
            apart: KEYS / E::EACH * LINE,
            next: next_values,
        };
        if HINTS != FEW && count < KEYS {
            // Few keys have fewer lines than their values, which lie apart.
            weighted.ask::<HINTS>();
        }
        let mut w = Lines {
            data: keys.as_ptr(),
            n: at.key_dim / E::TOGETHER,
            lines: count.div_ceil(LINE),
            apart: at.key_dim / E::EACH * LINE,
            next: next_keys,
        };
        let mut x = Rows {
            x: queries.as_ptr().add(rows.start * at.key_dim),
            x_row: at.key_dim,
            out: state.scores.as_mut_ptr().add(rows.start * KEYS),
            out_row: KEYS,
            rows: rows.len(),
            fade: std::ptr::null(),
        };
        // Keys and then values by the same loads: prefetchers learn by their places in the program.
        loop {
            product::<V, E, HINTS>(&w, &x);
            if !x.fade.is_null() {
                return;
            }
            for (i, row) in rows.clone().enumerate() {
                fade[i] = weights::<V, E>(work, block, row, state);
            }
            w = weighted;
            x = Rows {
                x: state.scores.as_ptr().add(rows.start * KEYS),
                x_row: KEYS,
                out: state.sums.as_mut_ptr().add(rows.start * width),
                out_row: width,
                rows: rows.len(),
                fade: fade.as_ptr(),
            };
        }
    }
}

/// What is asked for while a block's keys are read, and while its values are: on processors with a hint for every line the values of
/// the block and the keys of the next, where both are as wide, but for their last four lines, which come by themselves. Otherwise each
/// of the next block; into the L1 a little less far, because whole multiples of 4 KiB are in the sets of what is read.
#[inline(always)]
fn next<E, const HINTS: u8>(
    key_dim: usize,
    width: usize,
    keys: &[E],
    values: &[E],
) -> [*const E; 2] {
    let before = |of: &[E], bytes: usize| of.as_ptr().wrapping_byte_sub(bytes);
    let next = |of: &[E], width: usize| of.as_ptr().wrapping_add(KEYS * width);
    match HINTS {
        FEW => [next(keys, key_dim), next(values, width)],
        _ if key_dim == width => [before(values, 256), next(keys, key_dim).wrapping_byte_sub(256)],
        _ => [next(keys, key_dim), next(values, width)].map(|next| next.wrapping_byte_sub(1280)),
    }
}

/// A row's scores as weights of its values, and what its sums so far are multiplied by.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
unsafe fn weights<V: Vector, E: Element>(
    work: &Piece<'_>,
    block: &Block<'_, E>,
    row: usize,
    state: &mut State<'_>,
) -> f32 {
    let (Piece { at, sees, .. }, &Block { start, count, .. }) = (*work, block);
    let scores = &mut state.scores.as_chunks_mut::<KEYS>().0[row];
    if let Some(cap) = at.softcap {
        soft_cap(work.isa, scores, cap);
    }
    let (from, to) = sees[row];
    let from = from.saturating_sub(start).min(count);
    let to = to.saturating_sub(start).min(count).max(from);
    // SAFETY: the caller's.
    unsafe { weigh::<V, E>(scores, from, to, &mut state.running[row]) }
}
