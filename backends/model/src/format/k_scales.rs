//! The 12 bytes in which Q4_K and Q5_K store 8 scales and 8 minima of 6 bits each.
//!
//! Sub-blocks 0 to 3: scale in the low six bits of byte `j`, minimum in those of byte `4 + j`.
//! Sub-blocks 4 to 7: low nibbles in byte `4 + j` (scale low, minimum high), the upper two bits of
//! the scale in the top of byte `j - 4`, those of the minimum in the top of byte `j`.

use super::{f16, fit};

/// Scales and minima of the eight sub-blocks, each 0 to 63.
#[inline(always)]
pub fn unpack(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut mins) = ([0; 8], [0; 8]);
    for j in 0..4 {
        let (s, m, both) = (packed[j], packed[4 + j], packed[8 + j]);
        (scales[j], mins[j]) = (s & 63, m & 63);
        (scales[j + 4], mins[j + 4]) = (both & 15 | s >> 6 << 4, both >> 4 | m >> 6 << 4);
    }
    (scales, mins)
}

/// The inverse of `unpack`; every value at most 63.
#[inline(always)]
pub(super) fn pack(scales: &[u8; 8], mins: &[u8; 8]) -> [u8; 12] {
    let mut packed = [0; 12];
    for j in 0..4 {
        packed[j] = scales[j] | scales[j + 4] >> 4 << 6;
        packed[4 + j] = mins[j] | mins[j + 4] >> 4 << 6;
        packed[8 + j] = scales[j + 4] & 15 | mins[j + 4] << 4;
    }
    packed
}

/// The first 16 bytes of a Q4_K or Q5_K block, and what they decode to.
pub(super) struct Groups {
    /// f16 `d`, f16 `dmin`, then the 12 bytes.
    pub(super) packed: [u8; 16],
    /// Per sub-block: one over the scale, and the minimum, as stored.
    stored: [(f32, f32); 8],
    top: f32,
}

/// Fits scales and minima of eight sub-blocks of 32 with codes `0..=top`.
#[inline(always)]
pub(super) fn fit(x: &[f32; 256], top: f32, stretch: &[f32]) -> Groups {
    let (groups, _) = x.as_chunks::<32>();
    let (mut scales, mut mins) = ([0.0; 8], [0.0; 8]);
    for (i, x) in groups.iter().enumerate() {
        let (scale, min) = fit::affine(x, top, stretch);
        (scales[i], mins[i]) = (scale, -min);
    }
    let d = fit::store(fit::range(&scales).1 / 63.0);
    let d_stored = f16::widen(d);
    let scales = scales.map(|s| fit::code(s * fit::inverse(d_stored), 0.0, 63.0));
    // The rounding of a scale moves its best minimum.
    for ((min, x), &scale) in mins.iter_mut().zip(groups).zip(&scales) {
        *min = -fit::minimum(x, d_stored * f32::from(scale), -*min, top);
    }
    let dmin = fit::store(fit::range(&mins).1 / 63.0);
    let dmin_stored = f16::widen(dmin);
    let mins = mins.map(|m| fit::code(m * fit::inverse(dmin_stored), 0.0, 63.0));
    let mut packed = [0; 16];
    packed[..2].copy_from_slice(&d.to_le_bytes());
    packed[2..4].copy_from_slice(&dmin.to_le_bytes());
    packed[4..].copy_from_slice(&pack(&scales, &mins));
    let stored = std::array::from_fn(|i| {
        (fit::inverse(d_stored * f32::from(scales[i])), dmin_stored * f32::from(mins[i]))
    });
    Groups { packed, stored, top }
}

impl Groups {
    /// The code of every weight, under the scales as stored.
    #[inline(always)]
    pub(super) fn codes(&self, x: &[f32; 256], codes: &mut [u8; 256]) {
        let (x, _) = x.as_chunks::<32>();
        let (codes, _) = codes.as_chunks_mut::<32>();
        for ((codes, x), &(per_code, min)) in codes.iter_mut().zip(x).zip(&self.stored) {
            for (code, &x) in codes.iter_mut().zip(x) {
                *code = fit::code((x + min) * per_code, 0.0, self.top);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpack_undoes_pack_for_every_value_in_every_place() {
        for value in 0..64usize {
            let scales = std::array::from_fn(|i| ((value + 9 * i) % 64) as u8);
            let mins = std::array::from_fn(|i| ((5 * value + i) % 64) as u8);
            assert_eq!(unpack(&pack(&scales, &mins)), (scales, mins));
        }
    }
}
