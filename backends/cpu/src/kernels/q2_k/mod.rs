//! Q2_K: 16 bytes of 4-bit scales and minima, 256 2-bit weights, f16 scale and minimum.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, half_at};

/// See the module.
pub(crate) struct Q2K;

impl Quant for Q2K {
    const BLOCK: usize = 256;
    const BYTES: usize = 84;
    const GROUP: usize = 16;
    const SHIFT: u32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let (d, dmin) = (half_at(&block[80..]), half_at(&block[82..]));
        for (half, packed) in block[16..80].chunks_exact(32).enumerate() {
            for part in 0..4 {
                let q = &mut q[half * 128 + part * 32..][..32];
                for i in 0..32 {
                    q[i] = (packed[i] >> (2 * part)) & 3;
                }
            }
        }
        for (i, &byte) in block[..16].iter().enumerate() {
            scales[i] = d * f32::from(byte & 15);
            mins[i] = dmin * f32::from(byte >> 4);
        }
    }
}
