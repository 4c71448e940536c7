//! Sixteen f32 in one register of AVX-512, or in two of AVX2.

use std::arch::x86_64::*;

use super::vector::{ROUND, SIGN_AND_REST, Vector, plain_neighbours, plain_pairs};

/// One 64-byte register: AVX-512 F, and BF16 where `BRAIN` says so.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const BRAIN: bool>(__m512);

/// Words 2 i and 2 i + 1: those at i of both halves.
const ZIP: [u16; 32] = {
    let (mut order, mut i) = ([0; 32], 0);
    while i < 32 {
        order[i] = (i as u16) / 2 + 16 * (i as u16 % 2);
        i += 1;
    }
    order
};

/// 32 f16 by one load. The compiler would make two of it, because its halves are used apart.
///
/// # Safety
/// They are there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn whole(from: *const u16) -> __m512i {
    let halves;
    // SAFETY: a load that the caller allows.
    unsafe {
        std::arch::asm!(
            "vmovdqu64 {halves}, [{from}]",
            from = in(reg) from,
            halves = lateout(zmm_reg) halves,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    halves
}

/// f16 bits as bf16, see [`super::vector::Halves`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn shortened(halves: __m512i) -> __m512 {
    let rounded = _mm512_add_epi16(halves, _mm512_set1_epi16(4));
    let kept = _mm512_set1_epi16(SIGN_AND_REST.cast_signed());
    _mm512_castsi512_ps(_mm512_and_si512(_mm512_srai_epi16::<3>(rounded), kept))
}

// Every block below is sound as the trait says: the features are enabled where it is inlined, the pointers are good.
impl<const BRAIN: bool> Vector for Avx512<BRAIN> {
    /// Six rows of four lines are 24 sums, with the lines 28 of 32 registers.
    const ROWS: (usize, usize) = (8, 6);

    #[inline(always)]
    fn lines(rows: usize) -> usize {
        if rows > 6 { 2 } else { 4 }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }

    #[inline(always)]
    unsafe fn load_two(from: *const u16) -> [Self; 2] {
        // SAFETY: see above.
        unsafe {
            let both = whole(from);
            let (low, high) = (_mm512_castsi512_si256(both), _mm512_extracti64x4_epi64::<1>(both));
            [Self(_mm512_cvtph_ps(low)), Self(_mm512_cvtph_ps(high))]
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn zero_below(self, x: Self, limit: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let keep = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x.0, limit.0);
            Self(_mm512_maskz_mov_ps(keep, self.0))
        }
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let less = _mm512_set1_epi32(127_i32.wrapping_sub(ROUND.to_bits() as i32));
            let bits = _mm512_add_epi32(_mm512_castps_si512(self.0), less);
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(bits)))
        }
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }

    #[inline(always)]
    unsafe fn pairs(self, a: Self, b: Self) -> Self {
        // SAFETY: see above; every bit pattern is a vector of either kind.
        unsafe {
            if !BRAIN {
                return plain_pairs(self, a, b);
            }
            let [a, b] = [a, b].map(|v| std::mem::transmute::<__m512, __m512bh>(v.0));
            Self(_mm512_dpbf16_ps(self.0, a, b))
        }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> Self {
        // SAFETY: see above.
        unsafe {
            let order = _mm512_loadu_si512(ZIP.as_ptr().cast());
            Self(shortened(_mm512_permutexvar_epi16(order, whole(from))))
        }
    }

    #[inline(always)]
    unsafe fn times_power(self, shifted: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            // What ROUND has in its low bits leaves by the shift.
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted.0));
            Self(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), exponent)))
        }
    }

    #[inline(always)]
    unsafe fn zip(self, second: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let order = _mm512_loadu_si512(ZIP.as_ptr().cast());
            let both = _mm512_castps_si512(self.neighbours(second).0);
            Self(_mm512_castsi512_ps(_mm512_permutexvar_epi16(order, both)))
        }
    }

    #[inline(always)]
    unsafe fn neighbours(self, second: Self) -> Self {
        // SAFETY: see above; every bit pattern is a vector of either kind.
        unsafe {
            if !BRAIN {
                return plain_neighbours(self, second);
            }
            let both = _mm512_cvtne2ps_pbh(second.0, self.0);
            Self(std::mem::transmute::<__m512bh, __m512>(both))
        }
    }
}

/// Two 32-byte registers: AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256, __m256);

// As above.
impl Vector for Avx2 {
    /// Six rows of one line are 12 sums, with the line 14 of 16 registers.
    const ROWS: (usize, usize) = (6, 6);

    #[inline(always)]
    fn lines(_: usize) -> usize {
        1
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Avx2 {
        // SAFETY: see above.
        let x = unsafe { _mm256_set1_ps(x) };
        Avx2(x, x)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Avx2 {
        // SAFETY: see above.
        unsafe { Avx2(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_half(from: *const u16) -> Avx2 {
        // SAFETY: see above.
        unsafe {
            let [low, high] = [from, from.add(8)].map(|from| _mm_loadu_si128(from.cast()));
            Avx2(_mm256_cvtph_ps(low), _mm256_cvtph_ps(high))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn fma(self, a: Avx2, b: Avx2) -> Avx2 {
        // SAFETY: see above.
        unsafe { Avx2(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Avx2) -> Avx2 {
        // SAFETY: see above.
        unsafe { Avx2(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Avx2) -> Avx2 {
        // SAFETY: see above.
        unsafe { Avx2(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Avx2) -> Avx2 {
        // SAFETY: see above.
        unsafe { Avx2(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn zero_below(self, x: Avx2, limit: Avx2) -> Avx2 {
        // SAFETY: see above.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_LT_OQ>(x.0, limit.0);
            let high = _mm256_cmp_ps::<_CMP_LT_OQ>(x.1, limit.1);
            Avx2(_mm256_andnot_ps(low, self.0), _mm256_andnot_ps(high, self.1))
        }
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Avx2 {
        // SAFETY: see above.
        unsafe {
            let less = _mm256_set1_epi32(127_i32.wrapping_sub(ROUND.to_bits() as i32));
            let bits = |x| _mm256_add_epi32(_mm256_castps_si256(x), less);
            let power = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(bits(x)));
            Avx2(power(self.0), power(self.1))
        }
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: see above.
        unsafe {
            let both = _mm256_max_ps(self.0, self.1);
            let four = _mm_max_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps::<1>(both));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
