//! Activations in 8 bits with AVX-512, bit for bit as in plain Rust: a row of 8192 takes a sixth of the time, and each thread makes
//! its own before every product of a decode step; a tile of columns is turned in registers instead of four bytes at a time.

use std::arch::x86_64::*;

use super::quantise::{BLOCK, RowMut, TILE, TileMut, store_sums};

/// A block of 32.
///
/// # Safety
/// It can be read there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(x: *const f32) -> [__m512; 2] {
    // SAFETY: the caller's promise.
    unsafe { [_mm512_loadu_ps(x), _mm512_loadu_ps(x.add(16))] }
}

/// The larger of lane and lane. Absolute values compare as integers, and so a NaN wins.
#[inline]
#[target_feature(enable = "avx512f")]
fn magnitudes(v: [__m512; 2]) -> __m512i {
    let all = _mm512_set1_epi32(0x7FFF_FFFF);
    let [a, b] = v.map(|v| _mm512_and_si512(_mm512_castps_si512(v), all));
    _mm512_max_epu32(a, b)
}

/// To the nearest, ties to even; what is no number becomes the lowest integer, whose low byte is zero.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2")]
fn bytes(v: [__m512; 2], inverse: f32) -> __m256i {
    let inverse = _mm512_set1_ps(inverse);
    let [low, high] =
        v.map(|v| _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(v, inverse))));
    _mm256_set_m128i(high, low)
}

/// Quantises a row.
///
/// # Safety
/// The parts of `to` have room for all values of `x`, a multiple of 32.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn row(x: &[f32], to: &mut RowMut<'_>) {
    for b in 0..x.len() / BLOCK {
        let at = b * BLOCK;
        // SAFETY: a block of 32 from `at` is in x, and there is room for it in every part (the caller).
        unsafe {
            let v = load(x.as_ptr().add(at));
            let largest = f32::from_bits(_mm512_reduce_max_epu32(magnitudes(v)));
            let scale = largest / 127.0;
            let q = bytes(v, if largest > 0.0 { 127.0 / largest } else { 0.0 });
            _mm256_storeu_si256(to.q.as_mut_ptr().add(at).cast(), q);
            let zero = _mm256_setzero_si256();
            let fours = _mm256_dpbusd_epi32(zero, _mm256_set1_epi8(1), q);
            let minus = _mm256_sub_epi32(zero, fours);
            _mm256_storeu_si256(to.fours.as_mut_ptr().add(at / 4).cast(), minus);
            _mm256_storeu_ps(to.lanes.as_mut_ptr().add(at / 4), _mm256_set1_ps(scale));
            // Neighbours twice: the sum of each half in all its lanes.
            let two = _mm256_hadd_epi32(fours, fours);
            let four = _mm256_hadd_epi32(two, two);
            let halves = [_mm256_extract_epi32::<0>(four), _mm256_extract_epi32::<4>(four)];
            store_sums(b, scale, halves, to);
        }
    }
}

/// Quantises up to eight rows of `cols` into a tile.
///
/// # Safety
/// `rows` are whole, and the parts of `to` have room for their whole blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn tile(rows: &[f32], cols: usize, to: &mut TileMut<'_>) {
    let count = rows.len() / cols.max(1);
    for b in 0..cols / BLOCK {
        let mut largest = [0_u32; TILE];
        let mut v = [[_mm512_setzero_ps(); 2]; TILE];
        for c in 0..count {
            // SAFETY: block b of row c is there (the caller).
            v[c] = unsafe { load(rows.as_ptr().add(c * cols + b * BLOCK)) };
            largest[c] = _mm512_reduce_max_epu32(magnitudes(v[c]));
        }
        let largest = largest.map(f32::from_bits);
        let inverse = largest.map(|largest| if largest > 0.0 { 127.0 / largest } else { 0.0 });
        let scale = largest.map(|largest| largest / 127.0);
        let mut q = [_mm256_setzero_si256(); TILE];
        (0..TILE).for_each(|c| q[c] = bytes(v[c], inverse[c]));
        let lines = transposed(q);
        let (zero, ones) = (_mm256_setzero_si256(), _mm256_set1_epi8(1));
        let mut halves = [zero; 2];
        for (i, line) in lines.into_iter().enumerate() {
            halves[i / 4] = _mm256_dpbusd_epi32(halves[i / 4], ones, line);
        }
        // SAFETY: the block's part of the tile is there (the caller).
        unsafe {
            let to_q = to.q.as_mut_ptr().add(b * BLOCK * TILE);
            for (i, line) in lines.into_iter().enumerate() {
                _mm256_storeu_si256(to_q.add(i * 4 * TILE).cast(), line);
            }
            let scale = _mm256_loadu_ps(scale.as_ptr());
            _mm256_storeu_ps(to.scale.as_mut_ptr().add(b * TILE), scale);
            let both = _mm256_add_epi32(halves[0], halves[1]);
            for (i, sum) in [halves[0], halves[1], both].into_iter().enumerate() {
                let at = (b * 3 + i) * TILE;
                let less = _mm256_sub_epi32(zero, sum);
                _mm256_storeu_si256(to.less.as_mut_ptr().add(at).cast(), less);
                let times = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(sum));
                _mm256_storeu_ps(to.sums.as_mut_ptr().add(at), times);
            }
        }
    }
}

/// Eight rows of eight words, columns for rows.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(rows: [__m256i; 8]) -> [__m256i; 8] {
    let zero = _mm256_setzero_si256();
    let (mut two, mut four, mut all) = ([zero; 8], [zero; 8], [zero; 8]);
    for i in 0..4 {
        two[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        two[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..2 {
        for j in 0..2 {
            four[4 * i + 2 * j] = _mm256_unpacklo_epi64(two[4 * i + j], two[4 * i + 2 + j]);
            four[4 * i + 2 * j + 1] = _mm256_unpackhi_epi64(two[4 * i + j], two[4 * i + 2 + j]);
        }
    }
    for i in 0..4 {
        all[i] = _mm256_permute2x128_si256::<0x20>(four[i], four[4 + i]);
        all[4 + i] = _mm256_permute2x128_si256::<0x31>(four[i], four[4 + i]);
    }
    all
}
