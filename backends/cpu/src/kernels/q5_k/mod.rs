//! Q5_K: f16 scale and minimum, 8 6-bit scales and minima, 256 fifth bits, 256 nibbles.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, half_at, six_bit_scales};

/// See the module.
pub(crate) struct Q5K;

impl Quant for Q5K {
    const BLOCK: usize = 256;
    const BYTES: usize = 176;
    const GROUP: usize = 32;
    const SHIFT: u32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let (fifths, packed) = (&block[16..48], &block[48..176]);
        for pair in 0..4 {
            let packed = &packed[pair * 32..][..32];
            let (low, high) = q[pair * 64..][..64].split_at_mut(32);
            for i in 0..32 {
                low[i] = (packed[i] & 15) | (((fifths[i] >> (2 * pair)) & 1) << 4);
                high[i] = (packed[i] >> 4) | (((fifths[i] >> (2 * pair + 1)) & 1) << 4);
            }
        }
        let (d, dmin) = (half_at(block), half_at(&block[2..]));
        let (s, m) = six_bit_scales(&block[4..16]);
        for i in 0..8 {
            scales[i] = d * f32::from(s[i]);
            mins[i] = dmin * f32::from(m[i]);
        }
    }
}
