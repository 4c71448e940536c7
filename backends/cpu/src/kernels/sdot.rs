//! Products of bytes on aarch64, by inline assembly: their intrinsics are not stable yet.

use std::arch::aarch64::*;
use std::arch::asm;

/// Adds to each lane of `sum` the products of the four bytes there in `w` with the four bytes of lane `L` of `v`.
///
/// # Safety
/// The processor has `dotprod`.
#[inline(always)]
pub(crate) unsafe fn by_lane<const L: u8>(
    mut sum: int32x4_t,
    w: int8x16_t,
    v: int8x16_t,
) -> int32x4_t {
    // SAFETY: registers only; the caller's promise.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {w:v}.16b, {v:v}.4b[{lane}]",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            v = in(vreg) v,
            lane = const L,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// Adds to `sum`, (2, 2), the two rows of eight bytes of `a` times those of `b`.
///
/// # Safety
/// The processor has `i8mm`.
#[inline(always)]
pub(crate) unsafe fn two_by_two(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: registers only; the caller's promise.
    unsafe {
        asm!(
            ".arch_extension i8mm",
            "smmla {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// f32 of 4 f16 at `at`.
///
/// # Safety
/// Eight bytes can be read there.
#[inline(always)]
pub(crate) unsafe fn halves(at: *const u8) -> float32x4_t {
    let out: float32x4_t;
    // SAFETY: the caller's promise; NEON converts halves on every aarch64 processor.
    unsafe {
        let bits = vld1_u8(at);
        asm!(
            "fcvtl {out:v}.4s, {bits:v}.4h",
            out = out(vreg) out,
            bits = in(vreg) bits,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    out
}

/// Weights as signed bytes: without the offset where it is 128, as they are elsewhere, where none reaches 128.
#[inline(always)]
pub(crate) fn signed<F: super::quant::Quant>(w: uint8x16_t) -> int8x16_t {
    // SAFETY: NEON is part of every aarch64.
    unsafe {
        let w = if F::SHIFT == 7 { veorq_u8(w, vdupq_n_u8(128)) } else { w };
        vreinterpretq_s8_u8(w)
    }
}
