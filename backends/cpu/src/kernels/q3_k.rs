//! Q3_K: 256 third bits, 256 2-bit weights, 16 6-bit scales in 12 bytes, f16 scale; w = d s (q - 4).

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
        let six = &block[96..108];
        for i in 0..16 {
            let low = if i < 8 { six[i] & 15 } else { six[i - 8] >> 4 };
            let high = (six[8 + i % 4] >> (2 * (i / 4))) & 3;
            scales[i] = d * (f32::from(low | high << 4) - 32.0);
        }
    }
}
