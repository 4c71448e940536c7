//! Every integer kernel against the definition: decoded weights times the dequantised activations, in f64.

use proptest::prelude::*;
use yardstick_api::Numerics;
use yardstick_model::Format;

use super::{Panel, ROWS, TILE};
use crate::buffer::Buffer;
use crate::kernels::Isa;
use crate::kernels::activations::{Forms, Rows, Tiles};
use crate::kernels::multiply::{FEW, Input, Out, Weights, multiply};
use crate::kernels::packed::{LONG, Order, pack_panels, packed_bytes};
use crate::kernels::table::Kernel;

const FORMATS: [Format; 14] = Format::ALL;
const INT8: Forms = Forms { int8: true, wide: true, float: true, brain: true, matrix: false };

/// Random blocks whose f16 scales are moderate: random bytes, then every 16-bit word that may be a scale made small.
pub(crate) fn random_rows(format: Format, rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    if let Some(encode) = format.layout().encode {
        let values: Vec<f32> =
            (0..rows * cols).map(|_| (next() % 2001) as f32 / 1000.0 - 1.0).collect();
        let mut bytes = vec![0; rows * format.row_bytes(cols)];
        encode(&values, &mut bytes);
        return bytes;
    }
    let mut bytes: Vec<u8> = (0..rows * format.row_bytes(cols)).map(|_| next() as u8).collect();
    // The read-only formats keep their scales at these places.
    let scales: &[usize] = match format {
        Format::Q2_K => &[80, 82],
        Format::Q3_K => &[108],
        _ => &[0],
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in scales {
            let d = half::f16::from_f32((next() % 100) as f32 / 1000.0).to_le_bytes();
            block[at..at + 2].copy_from_slice(&d);
        }
    }
    bytes
}

/// Activations as the integer kernels see them: one scale per `block` values.
pub(crate) fn dequantised(x: &[f32], block: usize) -> Vec<f64> {
    let quantised = |x: &[f32]| {
        let most = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let (scale, inverse) = (most / 127.0, if most > 0.0 { 127.0 / most } else { 0.0 });
        let value = move |x: &f32| f64::from(scale) * f64::from((x * inverse).round_ties_even());
        x.iter().map(value).collect::<Vec<_>>()
    };
    x.chunks(block).flat_map(quantised).collect()
}

/// Rows in panels, where the kernel has any: of floats also short rows, which a session leaves as they are.
pub(crate) fn packed(
    kernel: Kernel,
    format: Format,
    cols: usize,
    rows: &[u8],
) -> Option<(Order, Vec<u8>)> {
    let pack = kernel.packer(usize::MAX)?;
    let (row_bytes, order) = (format.row_bytes(cols), Order::of(format, cols, 0));
    let mut panels = vec![0; packed_bytes(rows.len() / row_bytes, row_bytes)];
    pack_panels(pack, rows, (format, cols), order, &mut panels);
    Some((order, panels))
}

/// Products by the definition, (columns, rows), and the sums of their terms' magnitudes.
fn exact(
    format: Format,
    bytes: &[u8],
    cols: usize,
    xs: &[Vec<f32>],
    block: Option<usize>,
) -> Vec<(f64, f64)> {
    let stride = format.row_bytes(cols);
    let columns = xs.iter().flat_map(|x| {
        let x: Vec<f64> = match block {
            Some(block) => dequantised(x, block),
            None => x.iter().map(|&x| f64::from(x)).collect(),
        };
        bytes.chunks_exact(stride).map(move |row| {
            let mut w = vec![0.0_f32; cols];
            format.decode(row, &mut w);
            let terms = || w.iter().zip(&x).map(|(&w, &x)| f64::from(w) * x);
            (terms().sum(), terms().map(f64::abs).sum())
        })
    });
    columns.collect()
}

fn check(
    format: Format,
    isa: Isa,
    numerics: Numerics,
    rows: usize,
    cols: usize,
    columns: usize,
    seed: u64,
) {
    let bytes = random_rows(format, rows, cols, seed);
    let value = |i: usize| ((i as u64 * 7919 + seed % 1000) % 2003) as f32 / 500.0 - 2.0;
    let xs: Vec<Vec<f32>> =
        (0..columns).map(|c| (0..cols).map(|k| value(c * cols + k)).collect()).collect();
    let kernel = Kernel::choose(format, isa, numerics);
    let weights = Weights { kernel, format, cols, packed: None, bytes: &bytes };
    let forms = kernel.forms();
    let block = if forms.wide && columns > FEW { 256 } else { 32 };
    let expected = exact(format, &bytes, cols, &xs, forms.bytes().then_some(block));
    compare(isa, &weights, rows, &xs, &expected);
    if let Some((packed, panels)) = packed(kernel, format, cols, &bytes) {
        let weights = Weights { packed: Some(packed), bytes: &panels, ..weights };
        compare(isa, &weights, rows, &xs, &expected);
    }
}

/// Multiplies, in two tasks where there are rows enough, and compares.
fn compare(isa: Isa, weights: &Weights<'_>, rows: usize, xs: &[Vec<f32>], expected: &[(f64, f64)]) {
    let (columns, cols) = (xs.len(), weights.cols);
    let mut panel = Panel::new(cols, true, true).unwrap();
    let mut out = Buffer::zeroed(columns * rows).unwrap();
    out.all_mut().fill(f32::NAN);
    // SAFETY: the only user of `out` meanwhile.
    let to = unsafe { Out::new(&out, 0, rows) };
    // Few columns are multiplied by whole stacks.
    let unit = weights.packed.filter(|_| columns <= FEW).map_or(ROWS, Order::rows);
    let tasks = [0..rows.min(unit), rows.min(unit)..rows];
    let tasks = tasks.into_iter().filter(|rows| !rows.is_empty());
    if columns <= FEW {
        let mut x = Rows::new(columns, cols).unwrap();
        x.reset(cols);
        xs.iter().enumerate().for_each(|(c, values)| x.fill(isa, c, values, INT8));
        tasks.for_each(|rows| {
            multiply(isa, weights, rows, Input::Rows(&x, columns), &to, &mut panel);
        });
    } else {
        let blocks = cols.is_multiple_of(32);
        let forms = Forms { int8: blocks, wide: blocks, float: true, brain: true, ..INT8 };
        let x = Tiles::new(columns, cols, forms).unwrap();
        for (t, tile) in xs.chunks(TILE).enumerate() {
            // SAFETY: nobody else uses the tiles.
            unsafe { x.fill(isa, t, &tile.concat(), cols, forms) };
        }
        tasks.for_each(|rows| {
            multiply(isa, weights, rows, Input::Tiles(&x, columns), &to, &mut panel);
        });
    }
    for (i, (found, (exact, size))) in out.all_mut().iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - exact).abs();
        let (format, packed) = (weights.format, weights.packed);
        assert!(
            error <= 2e-6 * size + 1e-6,
            "{format:?} on {isa:?}, packed {packed:?}, {rows} x {cols} x {columns}, product {i}: {found}, expected {exact}"
        );
    }
}

#[test]
fn rows_so_long_that_they_are_cut_match_the_definition() {
    for isa in Isa::usable() {
        for format in FORMATS {
            let unit = format.block_len().max(32);
            let cols = (LONG + 800).next_multiple_of(unit);
            for (rows, columns) in [(35, 1), (90, 1), (150, 2), (130, 8), (70, 9)] {
                check(format, isa, Numerics::A8, rows, cols, columns, 13);
            }
            if format.block_len() == 1 {
                check(format, isa, Numerics::A8, 40, cols + 7, 1, 13);
            }
        }
    }
}

#[test]
fn every_kernel_matches_the_definition() {
    for isa in Isa::usable() {
        for format in FORMATS {
            let unit = format.block_len().max(32);
            for (rows, blocks) in [(1, 1), (5, 2), (16, 3), (19, 1), (35, 2), (50, 5)] {
                for columns in [1, 3, 5, 9, 13] {
                    for numerics in [Numerics::A8, Numerics::F32] {
                        check(format, isa, numerics, rows, blocks * unit, columns, 77);
                    }
                }
            }
        }
    }
}

#[test]
fn float_kernels_take_any_row_length() {
    for isa in Isa::usable() {
        for format in [Format::F32, Format::F16, Format::BF16] {
            // Beyond 4096 columns two rows are multiplied together.
            for cols in [1, 7, 17, 45, 100, 4099] {
                for columns in [1, 5, 9] {
                    // Rows of the 8-bit form are whole blocks; float formats never ask for it.
                    check_float(format, isa, cols, columns);
                }
            }
        }
    }
}

#[test]
fn bf16_products_are_those_of_rounded_factors() {
    let isas = Isa::usable().into_iter().filter(|isa| isa.bf16().is_some());
    for isa in isas {
        for format in [Format::F32, Format::F16, Format::BF16, Format::Q4_0, Format::Q6_K] {
            let lengths = if format.block_len() > 1 { [256, 512, 768] } else { [1, 45, 600] };
            for (cols, rows, columns) in lengths.map(|cols| [(cols, 3, 9), (cols, 40, 17)]).concat()
            {
                check_brain(format, isa, rows, cols, columns);
            }
        }
    }
}

/// Against f64 products of factors rounded by the half crate.
fn check_brain(format: Format, isa: Isa, rows: usize, cols: usize, columns: usize) {
    let bytes = random_rows(format, rows, cols, 5);
    let x: Vec<f32> = (0..columns * cols).map(|i| (i * 31 % 1009) as f32 / 300.0 - 1.5).collect();
    let kernel = Kernel::choose(format, isa, Numerics::Bf16);
    let forms = kernel.forms();
    assert!(forms.brain);
    let weights = Weights { kernel, format, cols, packed: None, bytes: &bytes };
    let mut panel = Panel::new(cols, false, true).unwrap();
    let mut out = Buffer::zeroed(columns * rows).unwrap();
    let tiles = Tiles::new(columns, cols, forms).unwrap();
    for (t, x) in x.chunks(TILE * cols).enumerate() {
        // SAFETY: nobody else uses the tiles.
        unsafe { tiles.fill(isa, t, x, cols, forms) };
    }
    // SAFETY: the only user of `out` meanwhile.
    let to = unsafe { Out::new(&out, 0, rows) };
    multiply(isa, &weights, 0..rows, Input::Tiles(&tiles, columns), &to, &mut panel);
    let mut decoded = vec![0.0; rows * cols];
    format.decode(&bytes, &mut decoded);
    let rounded = |x: f32| half::bf16::from_f32(x).to_f64();
    for (i, found) in out.all_mut().iter().enumerate() {
        let (x, w) = (&x[i / rows * cols..], &decoded[i % rows * cols..][..cols]);
        let terms = || w.iter().zip(x).map(|(&w, &x)| rounded(w) * rounded(x));
        let (exact, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
        let error = (f64::from(*found) - exact).abs();
        assert!(error <= 2e-6 * size + 1e-6, "{format:?} {rows} x {cols} x {columns}: {error}");
    }
}

fn check_float(format: Format, isa: Isa, cols: usize, columns: usize) {
    let bytes = random_rows(format, 3, cols, 5);
    let xs: Vec<Vec<f32>> = (0..columns)
        .map(|c| (0..cols).map(|k| (k * 31 + c) as f32 % 7.0 - 3.0).collect())
        .collect();
    let kernel = Kernel::choose(format, isa, Numerics::A8);
    let weights = Weights { kernel, format, cols, packed: None, bytes: &bytes };
    let mut panel = Panel::new(cols, false, true).unwrap();
    let mut out = Buffer::zeroed(columns * 3).unwrap();
    out.all_mut().fill(f32::NAN);
    // SAFETY: the only user of `out` meanwhile.
    let to = unsafe { Out::new(&out, 0, 3) };
    let forms = Forms { float: true, ..Forms::default() };
    if columns <= FEW {
        let mut x = Rows::new(columns, cols).unwrap();
        x.reset(cols);
        xs.iter().enumerate().for_each(|(c, values)| x.fill(isa, c, values, forms));
        multiply(isa, &weights, 0..3, Input::Rows(&x, columns), &to, &mut panel);
    } else {
        let x = Tiles::new(columns, cols, forms).unwrap();
        for (t, tile) in xs.chunks(TILE).enumerate() {
            // SAFETY: nobody else uses the tiles.
            unsafe { x.fill(isa, t, &tile.concat(), cols, forms) };
        }
        multiply(isa, &weights, 0..3, Input::Tiles(&x, columns), &to, &mut panel);
    }
    let expected = exact(format, &bytes, cols, &xs, None);
    for (found, (exact, size)) in out.all_mut().iter().zip(expected) {
        assert!((f64::from(*found) - exact).abs() <= 2e-6 * size + 1e-6);
    }
}

/// Where the f16 scale of a block is.
fn scale_at(format: Format) -> usize {
    match format {
        Format::Q2_K => 80,
        Format::Q3_K => 108,
        Format::Q6_K => 208,
        _ => 0,
    }
}

/// Products of two rows of which the first has one block with scale `bits`, on an instruction set, packed or not.
fn with_scale(format: Format, isa: Isa, in_panels: bool, columns: usize, bits: u16) -> Vec<f32> {
    let (rows, cols) = (2, 2 * format.block_len());
    let mut bytes = random_rows(format, rows, cols, 4711);
    let at = format.block_bytes() + scale_at(format);
    bytes[at..at + 2].copy_from_slice(&bits.to_le_bytes());
    let kernel = Kernel::choose(format, isa, Numerics::A8);
    let (order, panels) = packed(kernel, format, cols, &bytes).expect("an integer format");
    let (packed, bytes) = if in_panels { (Some(order), &panels) } else { (None, &bytes) };
    let weights = Weights { kernel, format, cols, packed, bytes };
    let mut panel = Panel::new(cols, true, true).unwrap();
    let mut out = Buffer::zeroed(columns * rows).unwrap();
    // SAFETY: the only user of `out` meanwhile.
    let to = unsafe { Out::new(&out, 0, rows) };
    let x: Vec<f32> = (0..cols).map(|k| (k % 17) as f32 / 16.0 - 0.3).collect();
    if columns <= FEW {
        let mut few = Rows::new(columns, cols).unwrap();
        few.reset(cols);
        (0..columns).for_each(|c| few.fill(isa, c, &x, INT8));
        multiply(isa, &weights, 0..rows, Input::Rows(&few, columns), &to, &mut panel);
    } else {
        let tiles = Tiles::new(columns, cols, INT8).unwrap();
        for tile in 0..columns.div_ceil(TILE) {
            let here = (columns - tile * TILE).min(TILE);
            // SAFETY: nobody else uses the tiles.
            unsafe { tiles.fill(isa, tile, &x.repeat(here), cols, INT8) };
        }
        multiply(isa, &weights, 0..rows, Input::Tiles(&tiles, columns), &to, &mut panel);
    }
    out.all_mut().to_vec()
}

#[test]
fn extreme_scales_mean_the_same_everywhere_and_stay_in_their_row() {
    let formats = FORMATS
        .into_iter()
        .filter(|&format| Kernel::choose(format, Isa::Scalar, Numerics::A8).forms().bytes());
    // Infinities, NaN, denormals, the largest and zeros of either sign.
    let scales = [0x7C00, 0xFC00, 0x7E01, 0x0001, 0x83FF, 0x7BFF, 0x0000, 0x8000];
    for (format, bits) in formats.flat_map(|format| scales.map(|bits| (format, bits))) {
        let expected = with_scale(format, Isa::Scalar, false, 1, bits);
        let finite = half::f16::from_bits(bits).is_finite();
        assert_eq!(expected[0].is_finite(), finite, "{format:?} {bits:#06x}: {expected:?}");
        assert!(expected[1].is_finite(), "{format:?} {bits:#06x}: {expected:?}");
        for isa in Isa::usable() {
            for (packed, columns) in [(false, 1), (true, 1), (true, 3), (false, 9), (true, 9)] {
                let found = with_scale(format, isa, packed, columns, bits);
                for (i, (&y, &wanted)) in found.iter().zip(expected.iter().cycle()).enumerate() {
                    let same = if wanted.is_finite() {
                        (y - wanted).abs() <= 1e-5 * wanted.abs() + 1e-4
                    } else {
                        !y.is_finite()
                    };
                    assert!(
                        same,
                        "{format:?} {bits:#06x} on {isa:?}, packed {packed}, product {i} of {columns} columns: {y}, expected {wanted}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_blocks_match_on_every_isa(
        format in prop::sample::select(FORMATS.to_vec()),
        rows in 1..2 * ROWS,
        columns in 1..2 * TILE + 2,
        blocks in 1..4_usize,
        seed in any::<u64>(),
    ) {
        for isa in Isa::usable() {
            let cols = blocks * format.block_len().max(32);
            check(format, isa, Numerics::A8, rows, cols, columns, seed);
        }
    }
}
