//! Weights for tiles of bytes: `w = scale * (64 * high + low)`, one scale per row and 256 weights.
//!
//! Sub-scales and minima of a format are folded into integers of 14 bits, so that sums need one floating-point step per 256
//! instead of one per 16 or 32. What is lost is at most a 16254th of the largest weight of the 256: a thousandth of the error
//! that activations in 8 bits make.

use super::activations::BLOCK;
use super::unit::ROW_BYTES;
use crate::kernels::Grouping;
use crate::kernels::integer::{DEPTH, ROWS, Unpacked};

/// Largest integer: high in -127 ..= 127, low in -32 ..= 31.
const MOST: f32 = 8127.0;

/// Adding and subtracting this rounds to the nearest integer, ties to even, for |x| < 2^22.
const ROUND: f32 = 12_582_912.0;

/// Up to [`DEPTH`] weights of sixteen rows.
pub(super) struct Planes {
    /// Each (DEPTH / 64, 16 groups of 4, 16 rows, 4): tiles of 1024 bytes as the right factor has them.
    pub(super) high: Box<Aligned>,
    pub(super) low: Box<Aligned>,
    /// (DEPTH / 256, 16)
    pub(super) scales: [[f32; ROWS]; DEPTH / BLOCK],
}

/// Tiles begin at a cache line: loads across lines are several times slower.
#[repr(align(64))]
pub(super) struct Aligned(pub(super) [i8; DEPTH * ROWS]);

/// Lanes of a line: four weights of each row.
const LANES: usize = 4 * ROWS;

impl Planes {
    pub(super) fn new() -> Planes {
        let zero = || Box::new(Aligned([0; DEPTH * ROWS]));
        Planes { high: zero(), low: zero(), scales: [[0.0; ROWS]; DEPTH / BLOCK] }
    }

    /// Folds `deep` unpacked weights of each row; the rest of the last tile is zero.
    pub(super) fn fold(&mut self, from: &mut Unpacked, grouping: Grouping, deep: usize) {
        let (scales, mins) = (&*from.scales.all_mut(), &*from.mins.all_mut());
        let q = &*from.q.all_mut();
        let (lines, end) = (deep / 4, deep.next_multiple_of(ROW_BYTES) / 4);
        self.high.0[lines * LANES..end * LANES].fill(0);
        self.low.0[lines * LANES..end * LANES].fill(0);
        for (b, out) in self.scales.iter_mut().enumerate().take(deep.div_ceil(BLOCK)) {
            let lines = b * BLOCK / 4..((b + 1) * BLOCK).min(deep) / 4;
            let weights = |line: usize| {
                let group = line * 4 / grouping.group * ROWS;
                let mut w = [0.0_f32; LANES];
                for (lane, w) in w.iter_mut().enumerate() {
                    let (scale, q) = (scales[group + lane / 4], q[line * LANES + lane]);
                    *w = scale * (f32::from(q) - grouping.offset);
                    if grouping.mins {
                        *w -= mins[group + lane / 4];
                    }
                }
                w
            };
            let mut most = [0.0_f32; ROWS];
            for line in lines.clone() {
                for (lane, w) in weights(line).into_iter().enumerate() {
                    // A weight that is no number must not hide behind those that are.
                    let w = if w.is_nan() { f32::INFINITY } else { w.abs() };
                    most[lane / 4] = most[lane / 4].max(w);
                }
            }
            let inverse = most.map(|most| match most {
                most if most.is_finite() && most > 0.0 => MOST / most,
                _ => 0.0,
            });
            *out = most.map(|most| if most.is_finite() { most / MOST } else { f32::NAN });
            for line in lines {
                let at = line * LANES..(line + 1) * LANES;
                let planes = self.high.0[at.clone()].iter_mut().zip(&mut self.low.0[at]);
                for (lane, ((high, low), w)) in planes.zip(weights(line)).enumerate() {
                    let w = if w.is_finite() { w * inverse[lane / 4] } else { 0.0 };
                    let whole = ((w + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
                    let upper = (whole + 32) >> 6;
                    *high = upper as i8;
                    *low = (whole - (upper << 6)) as i8;
                }
            }
        }
    }
}
