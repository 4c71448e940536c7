//! Q4_1: f16 scale, f16 minimum, 32 nibbles; w = d q + m.

use crate::kernels::quant::{Quant, half_at, nibbles};

/// See the module.
pub(crate) struct Q4_1;

impl Quant for Q4_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 20;
    const GROUP: usize = 32;
    const SHIFT: u32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        nibbles(&block[4..20], q);
        scales[0] = half_at(block);
        mins[0] = -half_at(&block[2..]);
    }
}
