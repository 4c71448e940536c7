//! The driver on the twin against products of the decoded weights, for every format; the twin against the manual.

use proptest::prelude::*;
use yardstick_api::Numerics;
use yardstick_model::Format;

use super::unit::{Configuration, Unit};
use super::*;
use crate::buffer::Buffer;
use crate::kernels::{Isa, Kernel};

const FORMATS: [Format; 11] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q2_K,
    Format::Q3_K,
    Format::Q4_K,
    Format::Q5_K,
    Format::Q6_K,
    Format::IQ4_NL,
];

fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Normalised mean squared error of products on the twin, against f64 products of decoded weights with the columns as given
/// (first) and as quantised (second).
fn errors(
    format: Format,
    numerics: Numerics,
    [rows, cols, count]: [usize; 3],
    isa: Isa,
) -> [f64; 2] {
    let mut next = noise((rows * 31 + cols * 7 + count) as u64);
    let values: Vec<f32> = std::iter::repeat_with(&mut next).take(rows * cols).collect();
    let mut bytes = vec![0; rows * format.row_bytes(cols)];
    let encode = format.layout().encode.expect("every format is written");
    for (x, block) in
        values.chunks_exact(format.block_len()).zip(bytes.chunks_exact_mut(format.block_bytes()))
    {
        encode(x, block);
    }
    let mut decoded = vec![0.0; rows * cols];
    format.decode(&bytes, &mut decoded);
    let columns: Vec<f32> = std::iter::repeat_with(&mut next).take(count * cols).collect();

    let amx = Amx::new(Tiles::Twin, count, cols).unwrap();
    for (row, x) in columns.chunks_exact(cols).enumerate() {
        // SAFETY: nobody else has them.
        unsafe { amx.activations.put(row, x) };
    }
    let kernel = Kernel::choose(format, isa, numerics);
    let weights = Weights { kernel, format, cols, packed: None, bytes: &bytes };
    let mut out = Buffer::zeroed(count * rows).unwrap();
    let mut panel = Panel::new(cols, true, true).unwrap();
    // SAFETY: nobody else has the buffer.
    let done = {
        // SAFETY: as said.
        let to = unsafe { Out::new(&out, 0, rows) };
        amx.multiply(isa, &weights, 0..rows, count, &to, &mut panel)
    };
    assert!(done);

    let mut quantised = vec![0_i8; 256];
    let mut errors = [0.0; 2];
    let mut power = 0.0;
    let found = out.all_mut();
    for (c, x) in columns.chunks_exact(cols).enumerate() {
        let mut rounded = Vec::new();
        for x in x.chunks(256) {
            let scale = activations::quantise_to_bytes(x, &mut quantised[..x.len()]);
            rounded.extend(quantised[..x.len()].iter().map(|&q| scale * f32::from(q)));
        }
        for (r, w) in decoded.chunks_exact(cols).enumerate() {
            let dot = |x: &[f32]| -> f64 {
                w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum()
            };
            let (exact, found) = (dot(x), f64::from(found[c * rows + r]));
            errors[0] += (found - exact).powi(2);
            errors[1] += (found - dot(&rounded)).powi(2);
            power += exact * exact;
        }
    }
    errors.map(|error| error / power)
}

/// With kernels that unpack to bytes, which is what planes are folded from.
fn isa() -> Option<Isa> {
    Isa::usable().into_iter().find(|isa| *isa != Isa::Scalar)
}

#[test]
fn every_format_and_odd_shape_comes_out_of_the_tiles_as_it_went_in() {
    let Some(isa) = isa() else { return println!("skipped: no vectors here") };
    for format in FORMATS {
        let cols = if format.block_len() == 256 { [256, 768, 1280] } else { [32, 896, 1056] };
        for cols in cols {
            for (rows, count) in [(1, 1), (16, 32), (17, 33), (40, 9)] {
                let shape = [rows, cols, count];
                let [all, weights] = errors(format, Numerics::A8, shape, isa);
                let place = format!("{format:?} {rows} x {cols} x {count}");
                // Few products may be near 0 by chance, and then errors are large beside them.
                let slack = if rows * count < 100 { 1e3 } else { 1.0 };
                // Integers of 14 bits: the weights lose next to nothing, and columns what 8 bits lose.
                assert!(weights < 1e-7 * slack, "{place}: {weights}");
                assert!(all < 2e-4 * slack, "{place}: {all}");
                // Weights in 8 bits lose as much again.
                let [all, weights] = errors(format, Numerics::Requantised, shape, isa);
                // One group alone may keep its scale.
                let exact = slack > 1.0 || cols < 256;
                assert!(weights > 1e-7 || exact, "{place}: requantised, yet {weights}");
                assert!(weights < 1e-4 * slack && all < 3e-4 * slack, "{place}: {weights}, {all}");
            }
        }
    }
}

#[test]
fn the_twin_agrees_with_itself_and_a_broken_unit_is_found_out() {
    // SAFETY: the twin needs nothing.
    assert!(unsafe { gemm::agrees_with_twin(&mut twin::Twin::default()) });

    /// Multiplies the wrong registers once in a while.
    #[derive(Default)]
    struct Broken(twin::Twin);
    impl Unit for Broken {
        unsafe fn configure(&mut self, configuration: &Configuration) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.configure(configuration) }
        }
        unsafe fn release(&mut self) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.release() }
        }
        unsafe fn zero<const T: u8>(&mut self) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { if T == 3 { self.0.zero::<2>() } else { self.0.zero::<T>() } }
        }
        unsafe fn load<const T: u8>(&mut self, from: *const i8, stride: usize) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.load::<T>(from, stride) }
        }
        unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.store::<T>(to, stride) }
        }
        unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.multiply::<C, A, B>() }
        }
    }
    // SAFETY: as above.
    assert!(!unsafe { gemm::agrees_with_twin(&mut Broken::default()) });
}

#[test]
fn the_device_is_offered_or_says_why_not() {
    match Tiles::detect() {
        Ok(_) => {}
        Err(reason) => assert!(reason.contains("amx") || reason.contains("self-test"), "{reason}"),
    }
}

#[test]
fn a_configuration_is_laid_out_as_ldtilecfg_reads_it() {
    let mut shapes = [(0, 0); 8];
    (shapes[0], shapes[7]) = ((64, 16), (4, 3));
    let bytes = Configuration { shapes }.bytes().0;
    assert_eq!((bytes[0], bytes[16], bytes[30], bytes[48], bytes[55]), (1, 64, 4, 16, 3));
    assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 5);
}

proptest! {
    /// TDPBSSD's pseudo-code, on tiles that are not whole.
    #[test]
    fn the_twin_multiplies_small_tiles_as_the_manual_says(
        m in 1..=16_usize,
        n in 1..=16_usize,
        k in 1..=16_usize,
        a in prop::collection::vec(any::<i8>(), 16 * 64),
        b in prop::collection::vec(any::<i8>(), 16 * 64),
    ) {
        let mut shapes = [(0, 0); 8];
        shapes[0] = (4 * n as u8, m as u8);
        shapes[1] = (4 * k as u8, m as u8);
        shapes[2] = (4 * n as u8, k as u8);
        let mut twin = twin::Twin::default();
        let mut c = [7_i32; 256];
        // SAFETY: the twin needs nothing; the arrays are whole tiles.
        unsafe {
            twin.configure(&Configuration { shapes });
            twin.load::<1>(a.as_ptr(), 64);
            twin.load::<2>(b.as_ptr(), 64);
            twin.multiply::<0, 1, 2>();
            twin.multiply::<0, 1, 2>();
            twin.store::<0>(c.as_mut_ptr(), 64);
        }
        for row in 0..16 {
            for column in 0..16 {
                let sum: i32 = (0..4 * k)
                    .map(|i| i32::from(a[row * 64 + i]) * i32::from(b[i / 4 * 64 + 4 * column + i % 4]))
                    .sum();
                let expected = if row < m && column < n { 2 * sum } else { 7 };
                prop_assert_eq!(c[row * 16 + column], expected);
            }
        }
    }
}
