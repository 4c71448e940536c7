//! Wide products against the definition, and requantised panels against the weights they stand for.

use proptest::prelude::*;
use yardstick_api::Numerics;
use yardstick_model::Format;

use super::*;
use crate::buffer::Buffer;
use crate::kernels::activations::{Forms, Tiles};
use crate::kernels::integer::tests::{dequantised, packed, random_rows};
use crate::kernels::integer::{PAIR, Panel};
use crate::kernels::table::{WideFn, grouping, wide_fn};
use crate::kernels::{Grouping, Input, Isa, Kernel, Out, Weights, multiply};

const WIDE: Forms = Forms { int8: false, wide: true, float: false, brain: false, matrix: false };

/// Numbers from a seed.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 8
    }
}

/// Signed panels of random weights, with what they have in excess.
fn panels(deep: usize, seed: u64) -> [Unpacked; PAIR] {
    let mut next = noise(seed);
    let mut pair = Panel::new(512, true, true).unwrap().pair;
    for panel in &mut pair {
        panel.q.all_mut()[..deep * ROWS]
            .iter_mut()
            .for_each(|q| *q = (next() as i64 % 255 - 127) as i8 as u8);
        for at in 0..deep.div_ceil(BLOCK) * ROWS {
            panel.scales.all_mut()[at] = (next() % 1000) as f32 / 500.0 - 1.0;
            let (b, r) = (at / ROWS, at % ROWS);
            let q = panel.q.all_mut();
            let row = |k: usize| i32::from(q[(k / 4 * ROWS + r) * 4 + k % 4] as i8);
            let sum: i32 = (b * BLOCK..((b + 1) * BLOCK).min(deep)).map(row).sum();
            panel.excess.all_mut()[at] = -128 * sum;
        }
    }
    pair
}

/// A product kernel against f64.
fn check_product(isa: Isa, deep: usize, kernel: WideFn) {
    let mut pair = panels(deep, deep as u64);
    let mut next = noise(99);
    let x: Vec<f32> = (0..deep * TILE).map(|_| (next() % 2001) as f32 / 500.0 - 2.0).collect();
    let tiles = Tiles::new(TILE, deep, WIDE).unwrap();
    // SAFETY: nobody else has the tiles.
    unsafe { tiles.fill(isa, 0, &x, deep, WIDE) };
    let mut out = [[[0.0; ROWS]; TILE]; PAIR];
    // SAFETY: the kernel is of a usable instruction set.
    unsafe { kernel(&mut pair, deep, &tiles.wide(0, deep), &mut out) };
    for (panel, out) in pair.iter_mut().zip(out) {
        let (q, scales) = (panel.q.all_mut(), panel.scales.all_mut());
        for (c, x) in x.chunks_exact(deep).enumerate() {
            let x = dequantised(x, BLOCK);
            for r in 0..ROWS {
                let term = |k: usize| {
                    let q = f64::from(q[(k / 4 * ROWS + r) * 4 + k % 4] as i8);
                    f64::from(scales[k / BLOCK * ROWS + r]) * q * x[k]
                };
                let exact: f64 = (0..deep).map(term).sum();
                let size: f64 = (0..deep).map(|k| term(k).abs()).sum();
                let error = (f64::from(out[c][r]) - exact).abs();
                assert!(error <= 2e-6 * size + 1e-5, "{isa:?} {deep} {c} {r}");
            }
        }
    }
}

#[test]
fn products_match_the_definition_at_the_largest_weights_and_odd_lengths() {
    for isa in Isa::usable() {
        for deep in [32, 64, 256, 288, 480, 512] {
            check_product(isa, deep, wide_fn(isa));
            // AVX-VNNI's body on the AVX-512 form of its instruction.
            #[cfg(target_arch = "x86_64")]
            if let Isa::Avx512Vnni(_) = isa {
                check_product(isa, deep, avx_vnni::tested);
            }
        }
    }
}

/// A panel of made-up codes.
fn coded(from: Grouping, deep: usize, seed: u64, scale: impl Fn(u64) -> f32) -> Unpacked {
    let mut next = noise(seed);
    let [mut panel, _] = Panel::new(512, true, true).unwrap().pair;
    panel.q.all_mut()[..deep * ROWS].iter_mut().for_each(|q| *q = next() as u8);
    for at in 0..deep / from.group * ROWS {
        panel.scales.all_mut()[at] = scale(next());
        panel.mins.all_mut()[at] = if from.mins { scale(next()) } else { f32::NAN };
    }
    panel
}

/// Weight `k` of row `r`.
fn weight(panel: &mut Unpacked, from: Grouping, k: usize, r: usize) -> f32 {
    let q = f32::from(panel.q.all_mut()[(k / 4 * ROWS + r) * 4 + k % 4]);
    let at = k / from.group * ROWS + r;
    let min = if from.mins { panel.mins.all_mut()[at] } else { 0.0 };
    panel.scales.all_mut()[at] * (q - from.offset) - min
}

const GROUPINGS: [Grouping; 4] = [
    Grouping { group: 32, offset: 8.0, mins: false },
    Grouping { group: 16, offset: 32.0, mins: false },
    Grouping { group: 32, offset: 0.0, mins: true },
    Grouping { group: 16, offset: 0.0, mins: true },
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn requantised_weights_are_half_a_step_off_at_most(
        which in 0..GROUPINGS.len(),
        blocks in 1..17_usize,
        seed in any::<u64>(),
    ) {
        let (from, deep) = (GROUPINGS[which], blocks * 32);
        let scale = |n: u64| (n % 2001) as f32 / 1000.0 - 1.0;
        let expected: Vec<f32> = {
            let mut panel = coded(from, deep, seed, scale);
            (0..deep * ROWS).map(|i| weight(&mut panel, from, i / ROWS, i % ROWS)).collect()
        };
        let mut all = Vec::new();
        for isa in Isa::usable() {
            let mut panel = coded(from, deep, seed, scale);
            requantise(isa, from, &mut panel, deep);
            let (q, scales) = (panel.q.all_mut(), panel.scales.all_mut());
            for r in 0..ROWS {
                for start in (0..deep).step_by(BLOCK) {
                    let ks = || start..(start + BLOCK).min(deep);
                    let of = |k: usize| i32::from(q[(k / 4 * ROWS + r) * 4 + k % 4] as i8);
                    let scale = scales[start / BLOCK * ROWS + r];
                    for k in ks() {
                        let error = (expected[k * ROWS + r] - scale * of(k) as f32).abs();
                        prop_assert!(error <= scale * 0.501, "{error} of {scale}");
                    }
                    let sum: i32 = ks().map(of).sum();
                    let excess = panel.excess.all_mut()[start / BLOCK * ROWS + r];
                    prop_assert_eq!(excess, -128 * sum);
                }
            }
            let bits: Vec<u32> = scales[..blocks.div_ceil(8) * ROWS].iter().map(|s| s.to_bits()).collect();
            all.push((q[..deep * ROWS].to_vec(), bits));
        }
        prop_assert!(all.windows(2).all(|two| two[0] == two[1]), "instruction sets differ");
    }
}

#[test]
fn extreme_scales_stay_in_their_row_and_block() {
    let from = GROUPINGS[0];
    for (bad, none) in [
        (f32::NAN, true),
        (f32::INFINITY, true),
        (f32::NEG_INFINITY, true),
        (3e38, true),
        (0.0, false),
        (1e-40, false),
        (f32::MIN_POSITIVE, false),
        (6e-8, false),
    ] {
        let mut all = Vec::new();
        for isa in Isa::usable() {
            let mut panel = coded(from, 512, 5, |_| 0.5);
            // Group 2 of row 3 in the first block.
            panel.scales.all_mut()[2 * ROWS + 3] = bad;
            requantise(isa, from, &mut panel, 512);
            let scales = &panel.scales.all_mut()[..2 * ROWS];
            let odd: Vec<usize> = (0..2 * ROWS).filter(|&at| !scales[at].is_finite()).collect();
            assert_eq!(odd, if none { vec![3] } else { vec![] }, "{isa:?} {bad}");
            all.push(panel.q.all_mut()[..512 * ROWS].to_vec());
        }
        assert!(all.windows(2).all(|two| two[0] == two[1]), "{bad}");
    }
}

#[test]
fn a_row_of_nothing_is_nothing() {
    for isa in Isa::usable() {
        for scale in [0.0, 1e-40, -0.0] {
            let mut panel = coded(GROUPINGS[0], 256, 5, |_| scale);
            requantise(isa, GROUPINGS[0], &mut panel, 256);
            assert!(panel.scales.all_mut()[..ROWS].iter().all(|&scale| scale == 0.0));
            assert!(panel.q.all_mut()[..256 * ROWS].iter().all(|&q| q == 0));
        }
    }
}

/// Normalised mean squared error of requantised products of random weights.
fn error_of(format: Format, isa: Isa, in_panels: bool, [rows, cols, columns]: [usize; 3]) -> f64 {
    let bytes = random_rows(format, rows, cols, 11);
    let kernel = Kernel::choose(format, isa, Numerics::Requantised);
    let (order, panels) = packed(kernel, format, cols, &bytes).unwrap();
    let (packed, own) = if in_panels { (Some(order), &panels) } else { (None, &bytes) };
    let weights = Weights { kernel, format, cols, packed, bytes: own };
    let mut next = noise(7);
    let x: Vec<f32> = (0..columns * cols).map(|_| (next() % 2001) as f32 / 1e3 - 1.0).collect();
    let tiles = Tiles::new(columns, cols, WIDE).unwrap();
    for (t, x) in x.chunks(TILE * cols).enumerate() {
        // SAFETY: nobody else has the tiles.
        unsafe { tiles.fill(isa, t, x, cols, WIDE) };
    }
    let mut panel = Panel::new(cols, true, isa == Isa::Scalar).unwrap();
    let mut out = Buffer::zeroed(columns * rows).unwrap();
    {
        // SAFETY: the only user of `out` meanwhile.
        let to = unsafe { Out::new(&out, 0, rows) };
        multiply(isa, &weights, 0..rows, Input::Tiles(&tiles, columns), &to, &mut panel);
    }
    let mut decoded = vec![0.0; rows * cols];
    format.decode(&bytes, &mut decoded);
    let (mut error, mut power) = (0.0, 0.0);
    for (i, found) in out.all_mut().iter().enumerate() {
        let (x, w) = (&x[i / rows * cols..], &decoded[i % rows * cols..][..cols]);
        let exact: f64 = w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
        error += (f64::from(*found) - exact).powi(2);
        power += exact * exact;
    }
    error / power
}

#[test]
fn every_format_requantised_is_close_to_itself() {
    for isa in Isa::usable() {
        for format in Format::ALL {
            if grouping(format).is_none() {
                continue;
            }
            let cols = if format.block_len() == 256 { [256, 1280] } else { [96, 1056] };
            for (packed, cols) in [(false, cols[0]), (true, cols[0]), (true, cols[1])] {
                for (rows, columns) in [(16, 9), (37, 17)] {
                    let error = error_of(format, isa, packed, [rows, cols, columns]);
                    // 8 bits of both factors, uniform over twice 127 steps: about 4e-5.
                    assert!(error < 2e-4, "{format:?} {isa:?} {packed} {rows} x {cols}: {error}");
                }
            }
        }
    }
}
