//! Q8_0: f16 scale, 32 signed bytes; w = d (q - 128) with q the byte plus 128.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;

use crate::kernels::quant::{Quant, half_at};

/// See the module.
pub(crate) struct Q8_0;

impl Quant for Q8_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 34;
    const GROUP: usize = 32;
    const SHIFT: u32 = 7;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let _ = mins;
        for (q, &byte) in q[..32].iter_mut().zip(&block[2..34]) {
            *q = byte ^ 128;
        }
        scales[0] = half_at(block);
    }
}
