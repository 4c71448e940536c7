//! Attention of some rows of one key-value head: scores, softmax and weighted values over blocks of keys, with running
//! maxima, so that memory does not grow with the context.
//!
//! The rows of a task are the query heads that share a key-value head, of one token (decode) or several (prefill): every key
//! and value is read once for all of them. The kernels are written once over [`vector::Vector`].

mod merge;
mod pairs;
mod softmax;
#[cfg(test)]
mod tests;
mod tile;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use yardstick_api::KvType;

pub(crate) use merge::{Partial, merge, partial_len};
use softmax::{Running, fade_of, weigh};
use tile::{Lines, Rows, product};
use vector::{Element, Halves, Scalar, Two, Vector};

use crate::kernels::elementwise::{scale, soft_cap};
use crate::kernels::prefetch::Ahead;
use crate::kernels::{Avx512Bf16, Isa};
use crate::kv::{Elements, LINE, LayerKv, value_width};

/// Rows of a task at most: query heads of a group, of consecutive tokens. Eight tiles of six.
pub(crate) const ROWS: usize = 48;
/// Keys of a block.
pub(crate) const KEYS: usize = 64;
/// Rows up to which f16 is widened as it is read: with more it is widened once into scratch.
const DIRECT: usize = 8;

/// Rows from which f16 that is read directly is multiplied as bf16. On Zen 5, 4096 positions of heads of 64, f32 and bf16 read the
/// same for 3 rows, memory bounds both. For 4 rows a kernel alone reads 8 % faster in bf16, and a token of llama-3.2-1b:Q4_0 4096 to 7600 deep
/// takes 0.26 ms less in the mean of six turns (-0.07 to 0.68), about 1 % (16 tokens each, in one session). For 5 rows f32 reads 36.4 GB/s and bf16 41; for 6, 7 and 8 f32 reads
/// 32.4, 28.3 and 25.4 and bf16 38, 35 and 33.
const PAIRED: usize = 4;

/// How far hints run ahead of what is read, bytes, of rows so wide: where the next block will be; into the L1 a little less, because whole
/// multiples of 4 KiB are in the sets of what is read. Zen 5 reads 39.5 GB/s with 8192 bytes, 41 with 6912 and 38 with 5120.
fn distance<E>(ahead: Ahead, width: usize) -> usize {
    let block = KEYS * width * size_of::<E>();
    if ahead.fills_l1() { block.saturating_sub(1280) } else { block }
}

/// Room behind the queries, for their last vector.
const BEHIND: usize = 32;

/// Whether so many rows are multiplied as bf16, where the processor and the numerics allow it. In pairs, which whole keys must hold.
pub(crate) fn pairs_pay(rows: usize, kv: KvType, key_dim: usize) -> bool {
    let many = match rows <= DIRECT {
        true => rows >= PAIRED && kv == KvType::F16,
        false => kv != KvType::F32,
    };
    many && key_dim >= LINE && key_dim.is_multiple_of(2)
}

/// One thread's work space.
pub(crate) struct Scratch {
    /// Rotated and scaled queries: (ROWS, key_dim); [`attend`] may round them in place
    pub(crate) queries: Vec<f32>,
    scores: Box<[[f32; KEYS]; ROWS]>,
    /// Not yet divided by the totals: (ROWS, value_width)
    pub(crate) sums: Vec<f32>,
    /// A block widened: (KEYS / 16, key_dim, 16)
    keys: Vec<f32>,
    /// (KEYS, value_width)
    values: Vec<f32>,
    running: [Running; ROWS],
    /// Positions each row sees.
    sees: [(usize, usize); ROWS],
}

impl Scratch {
    /// For heads up to these widths.
    pub(crate) fn new(key_dim: usize, value_dim: usize) -> Scratch {
        let value_width = value_width(value_dim);
        Scratch {
            queries: vec![0.0; ROWS * key_dim + BEHIND],
            scores: Box::new([[0.0; KEYS]; ROWS]),
            sums: vec![0.0; ROWS * value_width],
            keys: vec![0.0; key_dim * KEYS],
            values: vec![0.0; KEYS * value_width],
            running: [Running::NONE; ROWS],
            sees: [(0, 0); ROWS],
        }
    }

    /// Bytes of that.
    pub(crate) fn bytes(key_dim: usize, value_dim: usize) -> u64 {
        let widths = (key_dim + value_width(value_dim)) as u64;
        let rows = (ROWS * (KEYS + 17) + BEHIND) as u64;
        4 * (widths * (ROWS + KEYS) as u64 + rows) + 16 * ROWS as u64
    }

    /// The result of a row, of values `value_dim` wide.
    pub(crate) fn finish(&mut self, isa: Isa, row: usize, value_dim: usize) -> &[f32] {
        let width = value_width(value_dim);
        let sums = &mut self.sums[row * width..row * width + value_dim];
        scale(isa, sums, 1.0 / self.running[row].total.iter().sum::<f32>());
        sums
    }
}

/// Where the keys are.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) kv: &'a LayerKv,
    pub(crate) sequence: usize,
    pub(crate) head: usize,
    pub(crate) key_dim: usize,
    pub(crate) value_dim: usize,
    /// Scores become `cap * tanh(score / cap)`.
    pub(crate) softcap: Option<f32>,
    /// Many rows ([`pairs_pay`]) are multiplied in bf16: queries, keys, weights and values are rounded, sums are f32.
    pub(crate) pairs: bool,
}

/// Row i of `scratch.queries` (`rows` of them) attends to the positions `sees(i)`, neither end falling with i; some row sees
/// some. Its result is [`Scratch::finish`]'s, or a [`Partial`] one.
///
/// # Safety
/// Nobody writes those keys and values meanwhile.
pub(crate) unsafe fn attend(
    isa: Isa,
    at: Head<'_>,
    rows: usize,
    sees: impl Fn(usize) -> Range<usize>,
    scratch: &mut Scratch,
) {
    assert!(0 < rows && rows <= ROWS);
    let width = value_width(at.value_dim);
    assert!(scratch.queries.len() >= rows * at.key_dim && scratch.sums.len() >= rows * width);
    assert!(scratch.keys.len() >= KEYS * at.key_dim && scratch.values.len() >= KEYS * width);
    for row in 0..rows {
        let Range { start, end } = sees(row);
        scratch.sees[row] = (start, end);
        scratch.running[row] = Running::NONE;
    }
    scratch.sums[..rows * width].fill(0.0);
    let brain = isa.bf16();
    let direct = rows <= DIRECT;
    let pays = pairs_pay(rows, at.kv.kind(), at.key_dim);
    let paired = at.pairs && pays && (!direct || at.kv.finite());
    if paired {
        let queries = &mut scratch.queries;
        let factor = if direct { Halves::FACTOR } else { Two::FACTOR };
        run(isa, brain, PairQueries { queries, rows, dim: at.key_dim, factor });
    }
    let ahead = Ahead::here();
    let (first, last) = (scratch.sees[0].0, scratch.sees[rows - 1].1);
    // What nobody sees is not read.
    for block in (first / KEYS * KEYS..last).step_by(KEYS) {
        let count = (last - block).min(KEYS);
        let lines = count.div_ceil(LINE);
        // SAFETY: not written (the caller).
        let (keys, values) = unsafe {
            let keys = at.kv.keys(at.sequence, at.head, block, lines);
            (keys, at.kv.values(at.sequence, at.head, block, count))
        };
        let Scratch { queries, scores, sums, keys: wide_keys, values: wide_values, .. } = scratch;
        let Scratch { running, sees, .. } = scratch;
        let work = Block { isa, brain, at, rows, block, count, queries, sees, ahead };
        let state = State { scores, sums, running };
        match (keys, values) {
            (Elements::F16(keys), Elements::F16(values)) if direct && paired => {
                attend_block(&work, Halves::of(keys), Halves::of(values), state);
            }
            (Elements::F16(keys), Elements::F16(values)) if direct => {
                attend_block(&work, keys, values, state);
            }
            (Elements::F32(keys), Elements::F32(values)) => {
                attend_block(&work, keys, values, state);
            }
            (keys, values) if paired => {
                let n = [keys.widen(isa, true, wide_keys), values.widen(isa, false, wide_values)]
                    .map(<[f32]>::len);
                let (keys, values) = (&mut wide_keys[..n[0]], &mut wide_values[..n[1]]);
                run(isa, brain, Pair { keys, values, width });
                let keys = Two::of(&keys[..n[0] / 2]);
                attend_block(&work, keys, Two::of(&values[..count.div_ceil(2) * width]), state);
            }
            (keys, values) => {
                let keys = keys.widen(isa, true, wide_keys);
                let values = values.widen(isa, false, wide_values);
                attend_block(&work, keys, values, state);
            }
        }
    }
}

/// A block of keys and who looks at it.
struct Block<'a> {
    isa: Isa,
    brain: Option<Avx512Bf16>,
    at: Head<'a>,
    rows: usize,
    /// Its first position, and how many it has.
    block: usize,
    count: usize,
    queries: &'a [f32],
    sees: &'a [(usize, usize); ROWS],
    ahead: Ahead,
}

/// What a block changes.
struct State<'a> {
    scores: &'a mut [[f32; KEYS]; ROWS],
    sums: &'a mut [f32],
    running: &'a mut [Running; ROWS],
}

/// All rows against one block.
fn attend_block<E: Element>(work: &Block<'_>, keys: &[E], values: &[E], state: State<'_>) {
    let (lines, width) = (work.count.div_ceil(LINE), value_width(work.at.value_dim));
    assert!(keys.len() * E::EACH >= lines * LINE * work.at.key_dim);
    assert!(values.len() * E::EACH >= work.count * width);
    run(work.isa, work.brain, Tiles { work, keys, values, state });
}

/// Keys and values of a block as f32, in scratch, to words of two bf16 each.
struct Pair<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    width: usize,
}

impl Job for Pair<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller's.
        unsafe {
            pairs::rows::<V>(self.keys, LINE);
            pairs::rows::<V>(self.values, self.width);
        }
    }
}

/// Queries times a factor to words, row after row.
struct PairQueries<'a> {
    queries: &'a mut [f32],
    rows: usize,
    dim: usize,
    factor: f32,
}

impl Job for PairQueries<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        assert!(self.queries.len() >= self.rows * self.dim + BEHIND);
        let queries = self.queries.as_mut_ptr();
        for row in 0..self.rows {
            // SAFETY: the row is there, and enough behind it; what is written stays in it, as rows are at least 16 long.
            unsafe { pairs::neighbours::<V>(queries.add(row * self.dim), self.dim, self.factor) };
        }
    }
}

/// Work that is written once over vectors.
trait Job {
    /// # Safety
    /// The features of `V`.
    unsafe fn run<V: Vector>(self);
}

/// Does it with the vectors of an instruction set, and its products of bf16 where they are proved.
fn run<J: Job>(isa: Isa, brain: Option<Avx512Bf16>, job: J) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2<J: Job>(job: J) {
            // SAFETY: the features are enabled.
            unsafe { job.run::<x86::Avx2>() }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
        fn avx512<J: Job>(job: J) {
            // SAFETY: as above.
            unsafe { job.run::<x86::Avx512<false>>() }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
        fn avx512_bf16<J: Job>(job: J) {
            // SAFETY: as above.
            unsafe { job.run::<x86::Avx512<true>>() }
        }
        match (isa, brain) {
            (Isa::Scalar, _) => {}
            // SAFETY: the value proves the features.
            (Isa::Avx2(_), _) => return unsafe { avx2(job) },
            // SAFETY: the value proves the features.
            (Isa::Avx512Vnni(_), None) => return unsafe { avx512(job) },
            // SAFETY: the values prove the features.
            (Isa::Avx512Vnni(_), Some(_)) => return unsafe { avx512_bf16(job) },
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (isa, brain);
    // SAFETY: plain Rust needs no features.
    unsafe { job.run::<Scalar>() }
}

/// Rows against a block, checked.
struct Tiles<'a, E> {
    work: &'a Block<'a>,
    keys: &'a [E],
    values: &'a [E],
    state: State<'a>,
}

impl<E: Element> Job for Tiles<'_, E> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller's; the lengths were checked.
        unsafe { tiles::<V, E>(self.work, self.keys, self.values, self.state) }
    }
}

/// Tile after tile of rows: scores, weights, and the weighted values added to the faded sums.
///
/// # Safety
/// The features of `V`; keys, values and state are long enough.
#[inline(always)]
unsafe fn tiles<V: Vector, E: Element>(
    work: &Block<'_>,
    keys: &[E],
    values: &[E],
    state: State<'_>,
) {
    let Block { at, rows, block, count, ahead, .. } = *work;
    let width = value_width(at.value_dim);
    let (whole, most) = V::ROWS;
    let tiles = if rows <= whole { 1 } else { rows.div_ceil(most) };
    let queries = work.queries.as_ptr();
    for tile in 0..tiles {
        let (start, end) = (rows * tile / tiles, rows * (tile + 1) / tiles);
        if work.sees[end - 1].1 <= block {
            continue;
        }
        let mut fade = [1.0; 8];
        // SAFETY: rows `start .. end` of every buffer are there; `scores` is (rows, KEYS).
        unsafe {
            let lines = count.div_ceil(LINE);
            let (data, n) = (keys.as_ptr(), at.key_dim / E::TOGETHER);
            let (line, step) = (at.key_dim / E::EACH * LINE, LINE * E::TOGETHER / E::EACH);
            let next = data.wrapping_byte_add(distance::<E>(ahead, at.key_dim));
            let w = Lines { data, n, lines, line, step, second: LINE, last: LINE, next, ahead };
            let x = Rows {
                x: queries.add(start * at.key_dim),
                x_row: at.key_dim,
                out: state.scores.as_mut_ptr().add(start).cast(),
                out_row: KEYS,
                rows: end - start,
                fade: std::ptr::null(),
            };
            product::<V, E>(&w, &x);
            for (i, row) in (start..end).enumerate() {
                let scores = &mut state.scores[row];
                if let Some(cap) = at.softcap {
                    soft_cap(work.isa, scores, cap);
                }
                let (from, to) = work.sees[row];
                let from = from.saturating_sub(block).min(count);
                let to = to.saturating_sub(block).min(count).max(from);
                fade[i] = weigh::<V, E>(scores, from, to, &mut state.running[row]);
                if E::TOGETHER > 1 {
                    pairs::neighbours::<V>(scores.as_mut_ptr(), KEYS, E::FACTOR);
                }
            }
            let (data, lines) = (values.as_ptr(), width / LINE);
            let next = data.wrapping_byte_add(distance::<E>(ahead, width));
            let (n, step) = (count.div_ceil(E::TOGETHER), width * E::TOGETHER / E::EACH);
            // An odd last position stands for its absent neighbour, which weighs nothing.
            let last = if count.is_multiple_of(E::TOGETHER) { width } else { 0 };
            let w = Lines { data, n, lines, line: LINE, step, second: width, last, next, ahead };
            let x = Rows {
                x: state.scores.as_ptr().add(start).cast(),
                x_row: KEYS,
                out: state.sums.as_mut_ptr().add(start * width),
                out_row: width,
                rows: end - start,
                fade: fade.as_ptr(),
            };
            product::<V, E>(&w, &x);
        }
    }
}
