//! Packing itself: nothing is lost, nothing beyond the rows is made up. Products of packed weights are tested with those of
//! unpacked ones.

use yardstick_api::Numerics;
use yardstick_model::Format;

use super::{LINE, Order, Packed, chunk_bytes, pack_panels, packed_bytes, plain};
use crate::kernels::Isa;
use crate::kernels::integer::ROWS;
use crate::kernels::integer::tests::random_rows;
use crate::kernels::table::Kernel;

/// Packs rows of two blocks and unpacks them again: the same bytes, scales and minima as straight from the blocks.
fn survives<F: Packed>(format: Format) {
    for rows in [1, 15, 16, 17, 40] {
        let cols = 2 * F::BLOCK;
        let bytes = random_rows(format, rows, cols, 99 + rows as u64);
        let row_bytes = format.row_bytes(cols);
        let mut panels = vec![0; packed_bytes(rows, row_bytes)];
        let pack = Kernel::choose(format, Isa::Scalar, Numerics::A8).packer(cols).unwrap();
        pack_panels(pack, &bytes, (format, cols), Order::plain(cols), &mut panels);
        let mut lines = [[0; LINE]; 64];
        let (mut scales, mut mins) = ([[0.0; ROWS]; 16], [[0.0; ROWS]; 16]);
        for (i, chunk) in panels.chunks_exact(chunk_bytes::<F>()).enumerate() {
            plain::lines::<F>(chunk, &mut lines);
            plain::scales::<F>(chunk, &mut scales, &mut mins);
            let (panel, b) = (i / 2, i % 2);
            for r in 0..ROWS {
                let Some(row) = bytes.chunks_exact(row_bytes).nth(panel * ROWS + r) else {
                    assert!(scales.iter().all(|scale| scale[r] == 0.0), "{format:?} row {r}");
                    continue;
                };
                let (mut q, mut s, mut m) = ([0; 256], [0.0; 16], [0.0; 16]);
                F::unpack(&row[b * F::BYTES..(b + 1) * F::BYTES], &mut q, &mut s, &mut m);
                for k in 0..F::BLOCK {
                    assert_eq!(lines[k / 4][4 * r + k % 4], q[k], "{format:?} row {r} weight {k}");
                }
                for g in 0..F::BLOCK / F::GROUP {
                    assert_eq!(scales[g][r], s[g], "{format:?} row {r} group {g}");
                    assert!(!F::MINS || mins[g][r] == m[g], "{format:?} row {r} group {g}");
                }
            }
        }
    }
}

#[test]
fn every_weight_scale_and_minimum_survives() {
    use crate::kernels::*;
    survives::<q4_0::Q4_0>(Format::Q4_0);
    survives::<q4_1::Q4_1>(Format::Q4_1);
    survives::<q5_0::Q5_0>(Format::Q5_0);
    survives::<q5_1::Q5_1>(Format::Q5_1);
    survives::<q8_0::Q8_0>(Format::Q8_0);
    survives::<q2_k::Q2K>(Format::Q2_K);
    survives::<q3_k::Q3K>(Format::Q3_K);
    survives::<q4_k::Q4K>(Format::Q4_K);
    survives::<q5_k::Q5K>(Format::Q5_K);
    survives::<q6_k::Q6K>(Format::Q6_K);
    survives::<iq4_nl::Iq4Nl>(Format::IQ4_NL);
}
