//! The 12 bytes in which Q4_K and Q5_K store 8 scales and 8 minima of 6 bits each.
//!
//! Sub-blocks 0 to 3: scale in the low six bits of byte `j`, minimum in those of byte `4 + j`.
//! Sub-blocks 4 to 7: low nibbles in byte `4 + j` (scale low, minimum high), the upper two bits of
//! the scale in the top of byte `j - 4`, those of the minimum in the top of byte `j`.

/// Scales and minima of the eight sub-blocks, each 0 to 63.
#[inline(always)]
pub(super) fn unpack(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for j in 0..4 {
        let (s, m, both) = (packed[j], packed[4 + j], packed[8 + j]);
        (scales[j], mins[j]) = (s & 63, m & 63);
        (scales[j + 4], mins[j + 4]) = (both & 15 | s >> 6 << 4, both >> 4 | m >> 6 << 4);
    }
    (scales, mins)
}
