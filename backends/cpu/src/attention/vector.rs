//! Sixteen f32 as one value: what the attention kernels are written with, once for every instruction set.
//!
//! An implementation is only used inside a function that enables its features, after the proof that the processor has them.

use crate::kernels::float::word;

/// Sixteen lanes of f32.
///
/// # Safety
/// Every method needs the processor features of the implementation; pointers are good for 16 elements.
pub(super) trait Vector: Copy {
    /// Rows of the tallest tile, and of the tallest where there are more rows than that.
    const ROWS: (usize, usize);

    /// Lines of 16 side by side in a tile of so many rows, a power of two: as many as registers hold.
    fn lines(rows: usize) -> usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// From f16 bits.
    unsafe fn load_half(from: *const u16) -> Self;

    /// From the bits of 32 f16 side by side, the first 16 and the others.
    #[inline(always)]
    unsafe fn load_two(from: *const u16) -> [Self; 2] {
        // SAFETY: the caller's; there are 32.
        unsafe { [Self::load_half(from), Self::load_half(from.add(16))] }
    }
    unsafe fn store(self, to: *mut f32);
    /// `self + a * b`
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `other` where they do not compare.
    unsafe fn max(self, other: Self) -> Self;
    /// Zero in every lane where `x` is below `limit`.
    unsafe fn zero_below(self, x: Self, limit: Self) -> Self;
    /// 2^n of `n + ROUND`, n a whole number between -126 and 127.
    unsafe fn power_of_two(self) -> Self;
    unsafe fn largest(self) -> f32;

    /// `self + a * b` of lanes that are two bf16 each.
    #[inline(always)]
    unsafe fn pairs(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller's.
        unsafe { plain_pairs(self, a, b) }
    }

    /// Lanes of 16 elements, in the lower halves, and of the 16 behind them as bf16, times 2^-112: see [`Halves`]. From f16 bits.
    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: the caller's; there are 32.
        let lane = |i| unsafe { [from.add(i), from.add(16 + i)].map(|at| at.read_unaligned()) };
        let out: [f32; 16] = std::array::from_fn(|i| {
            let [low, high] = lane(i).map(|half| u32::from(shortened(half)));
            f32::from_bits(high << 16 | low)
        });
        // SAFETY: the caller's; there are 16.
        unsafe { Self::load(out.as_ptr()) }
    }

    /// `self * 2^n` of a shifted `n + ROUND`, where neither leaves the normal numbers.
    #[inline(always)]
    unsafe fn times_power(self, shifted: Self) -> Self {
        // SAFETY: the caller's.
        unsafe { self.mul(shifted.power_of_two()) }
    }

    /// Rounded to bf16, lanes of both together, `self` in the lower halves.
    #[inline(always)]
    unsafe fn zip(self, second: Self) -> Self {
        let mut out = [0.0; 16];
        // SAFETY: the caller's.
        unsafe {
            let (a, b) = (lanes(self), lanes(second));
            (0..16).for_each(|i| out[i] = f32::from_bits(word(a[i], b[i])));
            Self::load(out.as_ptr())
        }
    }

    /// Rounded to bf16, neighbours together, those of `second` behind.
    #[inline(always)]
    unsafe fn neighbours(self, second: Self) -> Self {
        // SAFETY: the caller's.
        unsafe { plain_neighbours(self, second) }
    }
}

/// A finite f16 as the bf16 of 2^-112 times it, rounded: both are sign, exponent and fraction, so that three bits less of the last,
/// and an exponent that counts from another number, are a shift. What is below f16's normal numbers becomes a bf16 below bf16's.
#[inline(always)]
fn shortened(half: u16) -> u16 {
    (half.wrapping_add(4).cast_signed() >> 3).cast_unsigned() & SIGN_AND_REST
}

/// The bits of a [`shortened`] f16: its sign, and what the shift left of the others.
pub(super) const SIGN_AND_REST: u16 = 0x8FFF;

/// [`Vector::pairs`] of any vectors.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn plain_pairs<V: Vector>(sum: V, a: V, b: V) -> V {
    let mut out = [0.0; 16];
    // SAFETY: the caller's.
    unsafe {
        let [sum, a, b] = [lanes(sum), lanes(a), lanes(b)];
        for i in 0..16 {
            let [a, b] = [a[i], b[i]].map(halves);
            out[i] = sum[i] + a[0] * b[0] + a[1] * b[1];
        }
        V::load(out.as_ptr())
    }
}

/// [`Vector::neighbours`] of any vectors.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn plain_neighbours<V: Vector>(first: V, second: V) -> V {
    let mut out = [0.0; 16];
    // SAFETY: the caller's.
    unsafe {
        let all = [lanes(first), lanes(second)];
        for (i, two) in all.as_flattened().as_chunks::<2>().0.iter().enumerate() {
            out[i] = f32::from_bits(word(two[0], two[1]));
        }
        V::load(out.as_ptr())
    }
}

/// # Safety
/// The features of `V`.
#[inline(always)]
unsafe fn lanes<V: Vector>(v: V) -> [f32; 16] {
    let mut out = [0.0; 16];
    // SAFETY: room for 16.
    unsafe { v.store(out.as_mut_ptr()) };
    out
}

/// The two bf16 of a word.
#[inline(always)]
fn halves(word: f32) -> [f32; 2] {
    [word.to_bits() << 16, word.to_bits() & 0xFFFF_0000].map(f32::from_bits)
}

/// Adding it to a number below 2^22 rounds to a whole number, which then stands in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;

/// e^x to within 2 units in the last place for x up to 88; 0 below -87.3.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn exp<V: Vector>(x: V) -> V {
    // 2^n e^r with |r| <= ln 2 / 2; ln 2 in two parts (Cody and Waite); a minimax polynomial for e^r (Cephes).
    const POLYNOMIAL: [f32; 6] =
        [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    // SAFETY: the caller's.
    unsafe {
        let least = V::splat(-87.3);
        // The second operand when they do not compare: NaN stays NaN.
        let clamped = least.max(x);
        let round = V::splat(ROUND);
        let shifted = round.fma(clamped, V::splat(std::f32::consts::LOG2_E));
        let n = shifted.add(V::splat(-ROUND));
        let r = clamped.fma(n, V::splat(-0.693_359_4)).fma(n, V::splat(2.121_944_4e-4));
        let mut p = V::splat(POLYNOMIAL[0]);
        for factor in &POLYNOMIAL[1..] {
            p = V::splat(*factor).fma(p, r);
        }
        let p = r.add(V::splat(1.0)).fma(p, r.mul(r));
        p.mul(shifted.power_of_two()).zero_below(x, least)
    }
}

/// 2^x within 8e-5 of it, for x between -125 and 0; below that, what -125 gives. A minimax polynomial (Remez) on half a unit
/// to both sides. For weights that are rounded to bf16.
///
/// # Safety
/// The features of `V`.
#[inline(always)]
pub(super) unsafe fn rough_exp2<V: Vector>(x: V) -> V {
    const POLYNOMIAL: [f32; 4] = [0.055_171_67, 0.242_611_13, 0.693_260_97, 0.999_928_06];
    // SAFETY: the caller's.
    unsafe {
        // The second operand when they do not compare: NaN stays NaN.
        let x = V::splat(-125.0).max(x);
        let shifted = V::splat(ROUND).add(x);
        let n = shifted.add(V::splat(-ROUND));
        let r = x.fma(n, V::splat(-1.0));
        let mut p = V::splat(POLYNOMIAL[0]);
        for factor in &POLYNOMIAL[1..] {
            p = V::splat(*factor).fma(p, r);
        }
        p.times_power(shifted)
    }
}

/// What keys and values are stored as.
pub(super) trait Element: Copy {
    /// Read straight from the cache, so what comes next is worth fetching ahead; f32 mostly comes from scratch.
    const STREAMED: bool;

    /// Keys' values, or positions, that are multiplied at once.
    const TOGETHER: usize = 1;

    /// Keys' values, or positions, in each element.
    const EACH: usize = 1;

    /// What the other factor is multiplied by before it is rounded to bf16.
    const FACTOR: f32 = 1.0;

    /// A line: 16 of each that are multiplied at once.
    ///
    /// # Safety
    /// As [`Vector`]'s.
    unsafe fn load<V: Vector>(from: *const Self) -> V;

    /// A line, and the next right behind it.
    ///
    /// # Safety
    /// As [`Vector`]'s.
    #[inline(always)]
    unsafe fn load_two<V: Vector>(from: *const Self) -> [V; 2] {
        // SAFETY: the caller's.
        unsafe { [Self::load(from), Self::load(from.add(16 * Self::TOGETHER / Self::EACH))] }
    }

    /// `sum + a * b`
    ///
    /// # Safety
    /// As [`Vector`]'s.
    #[inline(always)]
    unsafe fn fma<V: Vector>(sum: V, a: V, b: V) -> V {
        // SAFETY: the caller's.
        unsafe { sum.fma(a, b) }
    }
}

/// Two bf16, the first in the lower half; f32 in name only.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Two(f32);

impl Element for Two {
    const STREAMED: bool = false;
    const TOGETHER: usize = 2;
    const EACH: usize = 2;

    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Two) -> V {
        // SAFETY: the caller's.
        unsafe { V::load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn fma<V: Vector>(sum: V, a: V, b: V) -> V {
        // SAFETY: the caller's.
        unsafe { sum.pairs(a, b) }
    }
}

impl Two {
    /// What [`super::pairs`] made of f32.
    pub(super) fn of(words: &[f32]) -> &[Two] {
        // SAFETY: the same representation.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
    }
}

/// Finite f16 bits, two of which are multiplied at once as bf16. Both kinds of float begin with a sign and an exponent, so that f16
/// becomes bf16 by a shift, if one accepts 2^-112 times the number: the other factor is made as much larger. Of 65536 and more
/// that is infinite, and what comes of it no number, which no check lets pass.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Halves(u16);

impl Element for Halves {
    const STREAMED: bool = true;
    const TOGETHER: usize = 2;
    /// 2^112
    const FACTOR: f32 = f32::from_bits((112 + 127) << 23);

    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const Halves) -> V {
        // SAFETY: the caller's; the same representation.
        unsafe { V::load_halves(from.cast()) }
    }

    #[inline(always)]
    unsafe fn fma<V: Vector>(sum: V, a: V, b: V) -> V {
        // SAFETY: the caller's.
        unsafe { sum.pairs(a, b) }
    }
}

impl Halves {
    /// f16 bits, none of them of an infinity or of no number.
    pub(super) fn of(bits: &[u16]) -> &[Halves] {
        // SAFETY: the same representation.
        unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
    }
}

impl Element for f32 {
    const STREAMED: bool = false;

    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const f32) -> V {
        // SAFETY: the caller's.
        unsafe { V::load(from) }
    }
}

/// f16 bits.
impl Element for u16 {
    const STREAMED: bool = true;

    #[inline(always)]
    unsafe fn load<V: Vector>(from: *const u16) -> V {
        // SAFETY: the caller's.
        unsafe { V::load_half(from) }
    }

    #[inline(always)]
    unsafe fn load_two<V: Vector>(from: *const u16) -> [V; 2] {
        // SAFETY: the caller's.
        unsafe { V::load_two(from) }
    }
}

/// Plain Rust.
#[derive(Clone, Copy)]
pub(super) struct Scalar([f32; 16]);

impl Scalar {
    #[inline(always)]
    fn zip(self, other: Scalar, f: impl Fn(f32, f32) -> f32) -> Scalar {
        Scalar(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Vector for Scalar {
    const ROWS: (usize, usize) = (4, 4);

    #[inline(always)]
    fn lines(_: usize) -> usize {
        1
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Scalar {
        Scalar([x; 16])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Scalar {
        // SAFETY: 16 elements (the caller).
        Scalar(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Scalar {
        // SAFETY: 16 elements (the caller).
        let half = unsafe { from.cast::<[u16; 16]>().read_unaligned() };
        Scalar(half.map(crate::kernels::f16_to_f32))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: 16 elements (the caller).
        unsafe { to.cast::<[f32; 16]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn fma(self, a: Scalar, b: Scalar) -> Scalar {
        Scalar(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    #[inline(always)]
    unsafe fn add(self, other: Scalar) -> Scalar {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Scalar) -> Scalar {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn max(self, other: Scalar) -> Scalar {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn zero_below(self, x: Scalar, limit: Scalar) -> Scalar {
        let low = x.zip(limit, |x, limit| if x < limit { 0.0 } else { 1.0 });
        self.zip(low, |value, keep| if keep == 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Scalar {
        let bits = |x: f32| x.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
        Scalar(self.0.map(|x| f32::from_bits(bits(x))))
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        self.0.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
    }
}
