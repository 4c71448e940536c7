//! Q6_K: 256 nibbles, 256 2-bit tops, 16 signed 8-bit scales, f16 scale; w = d s (q - 32).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, half_at};

/// See the module.
pub(crate) struct Q6K;

impl Quant for Q6K {
    const BLOCK: usize = 256;
    const BYTES: usize = 210;
    const GROUP: usize = 16;
    const SHIFT: u32 = 5;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let _ = mins;
        for half in 0..2 {
            let low = &block[half * 64..][..64];
            let high = &block[128 + half * 32..][..32];
            let q = &mut q[half * 128..][..128];
            for i in 0..32 {
                q[i] = (low[i] & 15) | ((high[i] & 3) << 4);
                q[i + 32] = (low[i + 32] & 15) | (((high[i] >> 2) & 3) << 4);
                q[i + 64] = (low[i] >> 4) | (((high[i] >> 4) & 3) << 4);
                q[i + 96] = (low[i + 32] >> 4) | ((high[i] >> 6) << 4);
            }
        }
        let d = half_at(&block[208..]);
        for i in 0..16 {
            scales[i] = d * f32::from(block[192 + i] as i8);
        }
    }
}
