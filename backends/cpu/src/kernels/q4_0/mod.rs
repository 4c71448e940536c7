//! Q4_0: f16 scale, 32 nibbles; w = d (q - 8).

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, half_at, nibbles};

/// See the module.
pub(crate) struct Q4_0;

impl Quant for Q4_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const GROUP: usize = 32;
    const SHIFT: u32 = 3;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        nibbles(&block[2..18], q);
        scales[0] = half_at(block);
        let _ = mins;
    }
}
