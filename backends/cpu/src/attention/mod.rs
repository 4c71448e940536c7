//! Attention of some rows of one key-value head: scores, softmax and weighted values over blocks of keys, with running
//! maxima, so that memory does not grow with the context.
//!
//! The rows of a task are the query heads that share a key-value head, of one token (decode) or several (prefill): every key
//! and value is read once for all of them. The kernels are written once over [`vector::Vector`].

mod blocks;
mod floats;
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

use blocks::{Piece, State, attend_piece};
use floats::Floats;
pub(crate) use merge::{Partial, merge, partial_len};
use softmax::{Running, fade_of};
use vector::{Element, Halves, Scalar, Two, Vector};

use crate::kernels::elementwise::scale;
use crate::kernels::prefetch::{FEW, NEAR, ONCE, ask_next, hints};
use crate::kernels::{Avx512Bf16, Isa};
use crate::kv::{Elements, LINE, LayerKv, POSITIONS, value_width};

/// Rows of a task at most: query heads of a group, of consecutive tokens. Eight tiles of six.
pub(crate) const ROWS: usize = 48;
/// Keys of a block, and values.
pub(crate) const KEYS: usize = POSITIONS;
/// Rows up to which f16 is widened as it is read: with more it is widened once into scratch.
const DIRECT: usize = 8;

/// Rows from which f16 that is read directly is multiplied as bf16. On Zen 5 memory bounds few rows: caches of 4096 positions of heads of
/// 64 take 0.99 of the time of a plain read for 4 rows in f32 and 1.01 in bf16, for 5 rows 1.11 and 1.02; of heads of 128 1.02 and
/// 1.03, 1.07 and 1.05. Zen 4 multiplies half as fast, and 4 rows of f32 take longer than their bytes.
fn paired() -> usize {
    if hints() == FEW { 4 } else { 5 }
}

/// Room behind the queries, for their last vector.
const BEHIND: usize = 32;

/// Whether so many rows are multiplied as bf16, where the processor and the numerics allow it. In pairs, which whole keys must hold.
pub(crate) fn pairs_pay(rows: usize, kv: KvType, key_dim: usize) -> bool {
    let many = match rows <= DIRECT {
        true => rows >= paired() && kv == KvType::F16,
        false => kv != KvType::F32,
    };
    many && key_dim >= LINE && key_dim.is_multiple_of(2)
}

/// One thread's work space.
pub(crate) struct Scratch {
    /// Rotated and scaled queries: (ROWS, key_dim); [`attend`] may round them in place
    pub(crate) queries: Vec<f32>,
    /// (ROWS, KEYS)
    scores: Floats,
    /// Not yet divided by the totals: (ROWS, value_width)
    sums: Floats,
    /// A block widened: (KEYS / 16, key_dim, 16)
    keys: Floats,
    /// (value_width / 16, KEYS, 16)
    values: Floats,
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
            scores: Floats::zeroed(ROWS * KEYS),
            sums: Floats::zeroed(ROWS * value_width),
            keys: Floats::zeroed(key_dim * KEYS),
            values: Floats::zeroed(KEYS * value_width),
            running: [Running::NONE; ROWS],
            sees: [(0, 0); ROWS],
        }
    }

    /// Bytes of that.
    pub(crate) fn bytes(key_dim: usize, value_dim: usize) -> u64 {
        let widths = (key_dim + value_width(value_dim)) as u64;
        let rows = (ROWS * (KEYS + size_of::<Running>() / 4) + BEHIND) as u64;
        4 * (widths * (ROWS + KEYS) as u64 + rows) + 16 * ROWS as u64
    }

    /// What [`attend`] summed up: (ROWS, value_width)
    pub(crate) fn sums(&self) -> &[f32] {
        &self.sums
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

/// Asks for what [`attend`] reads first with so many rows that see some positions from `seen.start` on: nothing asked for a head's first
/// block yet, and its queries are still to be made.
pub(crate) fn ask_first(at: Head<'_>, rows: usize, seen: Range<usize>) {
    let hints = hints();
    if rows > DIRECT || hints == FEW || seen.is_empty() {
        return;
    }
    let start = seen.start / KEYS * KEYS;
    let count = (seen.end - start).min(KEYS);
    // SAFETY: nothing is read but where they are.
    let (keys, values) = unsafe {
        let keys = at.kv.keys(at.sequence, at.head, start, count.div_ceil(LINE));
        (keys, at.kv.values(at.sequence, at.head, start, 1))
    };
    if let (Elements::F16(keys), Elements::F16(values)) = (keys, values) {
        let values = values.chunks(KEYS * LINE).map(|lines| &lines[..count * LINE]);
        for line in std::iter::once(keys).chain(values).flat_map(|lines| lines.chunks(32)) {
            match hints {
                ONCE => ask_next::<ONCE>(line.as_ptr().cast()),
                _ => ask_next::<NEAR>(line.as_ptr().cast()),
            }
        }
    }
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
    let (first, last) = (scratch.sees[0].0, scratch.sees[rows - 1].1);
    // What is widened first is widened block by block.
    let whole = at.kv.kind() == KvType::F32 || direct && at.kv.kind() == KvType::F16;
    let piece = if whole { usize::MAX } else { KEYS };
    // What nobody sees is not read.
    for start in (first / KEYS * KEYS..last).step_by(piece) {
        let count = (last - start).min(piece);
        let (lines, blocks) = (count.div_ceil(LINE), count.div_ceil(KEYS));
        // SAFETY: not written (the caller).
        let (keys, values) = unsafe {
            let keys = at.kv.keys(at.sequence, at.head, start, lines);
            (keys, at.kv.values(at.sequence, at.head, start, blocks))
        };
        let Scratch { queries, scores, sums, keys: wide_keys, values: wide_values, .. } = scratch;
        let Scratch { running, sees, .. } = scratch;
        let work = Piece { isa, brain, at, rows, start, count, queries, sees };
        let state = State { scores, sums, running };
        match (keys, values) {
            (Elements::F16(keys), Elements::F16(values)) if direct && paired => {
                attend_piece(&work, Halves::of(keys), Halves::of(values), state);
            }
            (Elements::F16(keys), Elements::F16(values)) if direct => {
                attend_piece(&work, keys, values, state);
            }
            (Elements::F32(keys), Elements::F32(values)) => {
                attend_piece(&work, keys, values, state);
            }
            (keys, values) if paired => {
                let n = [keys.widen(isa, true, wide_keys), values.widen(isa, false, wide_values)]
                    .map(<[f32]>::len);
                let (keys, values) = (&mut wide_keys[..n[0]], &mut wide_values[..n[1]]);
                // What stands behind the last may be no number, and is paired with it.
                for lines in values.chunks_exact_mut(KEYS * LINE) {
                    lines[count * LINE..].fill(0.0);
                }
                run(isa, brain, Pair { keys, values });
                let (keys, values) = (Two::of(&keys[..n[0] / 2]), Two::of(&values[..n[1] / 2]));
                attend_piece(&work, keys, values, state);
            }
            (keys, values) => {
                let keys = keys.widen(isa, true, wide_keys);
                let values = values.widen(isa, false, wide_values);
                attend_piece(&work, keys, values, state);
            }
        }
    }
}

/// Keys and values of a block as f32, in scratch, to words of two bf16 each.
struct Pair<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
}

impl Job for Pair<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller's.
        unsafe {
            pairs::lines::<V>(self.keys);
            pairs::lines::<V>(self.values);
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
