//! Queries, keys, values and weights rounded to bf16, two to a word, in place: half the products, where the processor has them.

use super::vector::Vector;

/// Rows of `width` f32, a multiple of 16, into half as many of words: of row k and the next; the last is paired with zero.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn rows<V: Vector>(values: &mut [f32], width: usize) {
    let count = values.len() / width;
    let at = values.as_mut_ptr();
    for k in 0..count.div_ceil(2) {
        for i in (0..width).step_by(16) {
            // SAFETY: rows 2 k and 2 k + 1 are there, or only the first; row k is not behind them, and both are read first.
            unsafe {
                let first = V::load(at.add(2 * k * width + i));
                let second = match 2 * k + 1 < count {
                    true => V::load(at.add((2 * k + 1) * width + i)),
                    false => V::splat(0.0),
                };
                first.zip(second).store(at.add(k * width + i));
            }
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
