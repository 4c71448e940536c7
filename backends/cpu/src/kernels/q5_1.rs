//! Q5_1: f16 scale, f16 minimum, 32 fifth bits, 32 nibbles; w = d q + m.

use crate::kernels::quant::{Quant, fifth_bits, half_at, nibbles};

/// See the module.
pub(crate) struct Q5_1;

impl Quant for Q5_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 24;
    const GROUP: usize = 32;
    const SHIFT: u32 = 0;
    const MINS: bool = true;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        nibbles(&block[8..24], q);
        fifth_bits(&block[4..8], q);
        scales[0] = half_at(block);
        mins[0] = -half_at(&block[2..]);
    }
}
