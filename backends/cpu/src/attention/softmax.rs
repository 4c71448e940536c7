//! Online softmax: scores of a block become weights under a running maximum; what was summed before fades.

use super::KEYS;
use super::vector::{Element, Vector, exp, rough_exp2};

/// What is kept of a row between blocks.
#[repr(C, align(64))]
pub(super) struct Running {
    /// Sum of the weights so far, lane by lane.
    pub(super) total: [f32; 16],
    /// Largest score so far.
    pub(super) best: f32,
}

impl Running {
    pub(super) const NONE: Running = Running { best: f32::NEG_INFINITY, total: [0.0; 16] };
}

/// Turns a row's scores into weights, those outside `from .. to` into 0, and returns what earlier sums are multiplied by. Where values
/// are multiplied in pairs, so are they left: times [`Element::FACTOR`], rounded to bf16, two to a word.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn weigh<V: Vector, E: Element>(
    scores: &mut [f32; KEYS],
    from: usize,
    to: usize,
    running: &mut Running,
) -> f32 {
    if from > 0 {
        scores[..from].fill(f32::NEG_INFINITY);
    }
    if to < KEYS {
        scores[to..].fill(f32::NEG_INFINITY);
    }
    // SAFETY: the caller's; the lines lie within the row.
    unsafe {
        let lines = scores.as_mut_ptr();
        let mut most = V::load(lines);
        for line in 1..KEYS / 16 {
            most = most.max(V::load(lines.add(line * 16)));
        }
        let best = most.largest().max(running.best);
        if best == f32::NEG_INFINITY {
            // Nothing seen, so nothing weighs.
            scores.fill(0.0);
            return 1.0;
        }
        let mut sum = V::splat(0.0);
        let below = |line: usize| V::load(lines.add(line * 16)).add(V::splat(-best));
        if E::TOGETHER == 1 {
            for line in 0..KEYS / 16 {
                let weight = exp(below(line));
                weight.store(lines.add(line * 16));
                sum = sum.add(weight);
            }
        } else {
            let (log2_e, factor) = (V::splat(std::f32::consts::LOG2_E), V::splat(E::FACTOR));
            for pair in 0..KEYS / 32 {
                let one = rough_exp2(below(2 * pair).mul(log2_e));
                let other = rough_exp2(below(2 * pair + 1).mul(log2_e));
                sum = sum.add(one).add(other);
                one.mul(factor).neighbours(other.mul(factor)).store(lines.add(pair * 16));
            }
        }
        let mut fade = 1.0;
        if best != running.best {
            fade = fade_of::<V>(running.best - best);
            running.best = best;
        }
        let total = V::load(running.total.as_ptr());
        sum.fma(total, V::splat(fade)).store(running.total.as_mut_ptr());
        fade
    }
}

/// e^x of a number not above 0.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn fade_of<V: Vector>(x: f32) -> f32 {
    let mut out = [0.0; 16];
    // SAFETY: the caller's.
    unsafe { exp(V::splat(x)).store(out.as_mut_ptr()) };
    out[0]
}
