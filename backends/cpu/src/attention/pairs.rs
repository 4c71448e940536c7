//! Queries, keys, values and weights rounded to bf16, two to a word, in place: half the products, where the processor has them.

use super::vector::Vector;
use crate::kv::LINE;

/// Lines of f32, an even number of them, into half as many of words: of line 2 k and the next.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn lines<V: Vector>(values: &mut [f32]) {
    let at = values.as_mut_ptr();
    for k in 0..values.len() / (2 * LINE) {
        // SAFETY: lines 2 k and 2 k + 1 are there; line k is not behind them, and both are read first.
        unsafe {
            let first = V::load(at.add(2 * k * LINE));
            first.zip(V::load(at.add((2 * k + 1) * LINE))).store(at.add(k * LINE));
        }
    }
}

/// A row of f32 of an even length, each times `factor`, into half as many words: of neighbours. Where 32 does not divide it, up to 15 words behind them change.
///
/// # Safety
/// The features of `V`; 32 values can be read, and 16 written, at every 32nd value.
#[inline(always)]
pub(super) unsafe fn neighbours<V: Vector>(values: *mut f32, len: usize, factor: f32) {
    for i in (0..len).step_by(32) {
        // SAFETY: the caller's promise; what is written lies before what is read next.
        unsafe {
            let (first, second) = (V::load(values.add(i)), V::load(values.add(i + 16)));
            let factor = V::splat(factor);
            first.mul(factor).neighbours(second.mul(factor)).store(values.add(i / 2));
        }
    }
}
