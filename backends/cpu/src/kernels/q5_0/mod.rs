//! Q5_0: f16 scale, 32 fifth bits, 32 nibbles; w = d (q - 16).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, fifth_bits, half_at, nibbles};

/// See the module.
pub(crate) struct Q5_0;

impl Quant for Q5_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 22;
    const GROUP: usize = 32;
    const SHIFT: u32 = 4;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        nibbles(&block[6..22], q);
        fifth_bits(&block[2..6], q);
        scales[0] = half_at(block);
        let _ = mins;
    }
}
