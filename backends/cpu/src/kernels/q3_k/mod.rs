//! Q3_K: 256 third bits, 256 2-bit weights, 16 6-bit scales in 12 bytes, f16 scale; w = d s (q - 4).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, half_at};

/// See the module.
pub(crate) struct Q3K;

impl Quant for Q3K {
    const BLOCK: usize = 256;
    const BYTES: usize = 110;
    const GROUP: usize = 16;
    const SHIFT: u32 = 2;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let _ = mins;
        let (thirds, packed) = (&block[..32], &block[32..96]);
        for part in 0..8 {
            let (packed, q) = (&packed[part / 4 * 32..][..32], &mut q[part * 32..][..32]);
            for i in 0..32 {
                q[i] = ((packed[i] >> (2 * (part % 4))) & 3) | (((thirds[i] >> part) & 1) << 2);
            }
        }
        let d = half_at(&block[108..]);
        for (scale, byte) in scales.iter_mut().zip(six_bit_signed(&block[96..108])) {
            *scale = d * (f32::from(byte) - 32.0);
        }
    }
}

/// The sixteen 6-bit scales, still 32 too large, from 12 bytes: low nibbles of the first eight scales, then of the others in
/// the high nibbles; the top bits of four scales that lie four apart in each of the last four bytes.
#[inline(always)]
pub(crate) fn six_bit_signed(six: &[u8]) -> [u8; 16] {
    let word = |i: usize| u32::from_le_bytes([six[i], six[i + 1], six[i + 2], six[i + 3]]);
    let (a, b, tops) = (word(0), word(4), word(8));
    let mut bytes = [0; 16];
    for (i, low) in [a, b, a >> 4, b >> 4].into_iter().enumerate() {
        let four = (low & 0x0F0F_0F0F) | (((tops >> (2 * i)) & 0x0303_0303) << 4);
        bytes[i * 4..][..4].copy_from_slice(&four.to_le_bytes());
    }
    bytes
}
