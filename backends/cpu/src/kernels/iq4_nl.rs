//! IQ4_NL: f16 scale, 32 nibbles that index a table of 16 signed values; w = d (table[q] + 128 - 128).

use crate::kernels::quant::{Quant, half_at, nibbles};

/// See the module.
pub(crate) struct Iq4Nl;

impl Quant for Iq4Nl {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const GROUP: usize = 32;
    const SHIFT: u32 = 7;
    const MINS: bool = false;

    #[inline(always)]
    fn unpack(block: &[u8], q: &mut [u8], scales: &mut [f32], mins: &mut [f32]) {
        let _ = mins;
        nibbles(&block[2..18], q);
        for q in &mut q[..32] {
            *q = TABLE[usize::from(*q & 15)];
        }
        scales[0] = half_at(block);
    }
}

/// ggml's `kvalues_iq4nl` plus 128.
pub(super) const TABLE: [u8; 16] =
    [1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241];
