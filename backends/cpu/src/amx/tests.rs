//! The driver on every unit against products of the decoded weights, for every format; units against the manual.

use proptest::prelude::*;
use yardstick_api::Numerics;
use yardstick_model::Format;

use super::unit::{Configuration, Unit};
use super::*;
use crate::buffer::Buffer;
use crate::kernels::activations::Tiles;
use crate::kernels::integer::Panel;
use crate::kernels::{Input, Isa, Kernel, Out, TILE, Weights, multiply};

fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Random weights of a format, and what they decode to.
fn weights(format: Format, rows: usize, cols: usize) -> (Vec<u8>, Vec<f32>) {
    let mut next = noise((rows * 31 + cols) as u64);
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
    (bytes, decoded)
}

/// Products of rows as they are in the file, (count, rows).
fn products(
    isa: Isa,
    numerics: Numerics,
    format: Format,
    [rows, cols]: [usize; 2],
    bytes: &[u8],
    columns: &[f32],
) -> Vec<f32> {
    let count = columns.len() / cols;
    let kernel = Kernel::choose(format, isa, numerics);
    let forms = kernel.forms();
    let tiles = Tiles::new(count, cols, forms).unwrap();
    for (tile, x) in columns.chunks(TILE * cols).enumerate() {
        // SAFETY: nobody else has them.
        unsafe { tiles.fill(isa, tile, x, cols, forms) };
    }
    let weights = Weights { kernel, format, cols, packed: None, bytes };
    let mut out = Buffer::zeroed(count * rows).unwrap();
    let mut panel = Panel::new(cols, true, true).unwrap();
    // SAFETY: nobody else has the buffer.
    let to = unsafe { Out::new(&out, 0, rows) };
    multiply(isa, &weights, 0..rows, Input::Tiles(&tiles, count), &to, &mut panel);
    out.all_mut().to_vec()
}

/// Normalised mean squared error against f64 products of decoded weights.
fn error(found: &[f32], decoded: &[f32], columns: &[f32], cols: usize) -> f64 {
    let rows = decoded.len() / cols;
    let (mut error, mut power) = (0.0, 0.0);
    for (c, x) in columns.chunks_exact(cols).enumerate() {
        for (r, w) in decoded.chunks_exact(cols).enumerate() {
            let exact: f64 = w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
            error += (f64::from(found[c * rows + r]) - exact).powi(2);
            power += exact * exact;
        }
    }
    error / power
}

/// AVX-512, which every processor with tiles has.
fn isa() -> Option<Isa> {
    Isa::usable().into_iter().find(|isa| matches!(isa, Isa::Avx512Vnni(_)))
}

/// Columns as the unit sees them: in 8 bits under one scale per 256.
fn rounded(columns: &[f32], cols: usize) -> Vec<f32> {
    let rows = columns.chunks_exact(cols).flat_map(|x| x.chunks(256));
    rows.flat_map(|x| {
        let most = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = most / 127.0;
        x.iter().map(move |x| (x * (127.0 / most)).round_ties_even() * scale)
    })
    .collect()
}

#[test]
fn every_format_and_odd_shape_comes_out_of_the_tiles_as_it_went_in() {
    let Some(isa) = isa() else { return println!("skipped: no AVX-512 here") };
    for format in Format::ALL {
        let cols = match format.block_len() {
            256 => [256, 768, 1280],
            32 => [32, 896, 1056],
            _ => [33, 448, 1031],
        };
        let float = format.block_len() == 1;
        for (cols, (rows, count)) in cols
            .into_iter()
            .flat_map(|cols| [(1, 9), (16, 32), (17, 33), (40, 66)].map(|shape| (cols, shape)))
        {
            let (bytes, decoded) = weights(format, rows, cols);
            let mut next = noise((cols * 7 + count) as u64);
            let columns: Vec<f32> = std::iter::repeat_with(&mut next).take(count * cols).collect();
            let place = format!("{format:?} {rows} x {cols} x {count}");
            let on_units = |numerics| {
                let of = |unit: &Amx| {
                    products(isa.on(Some(*unit)), numerics, format, [rows, cols], &bytes, &columns)
                };
                let all: Vec<_> = units().iter().map(of).collect();
                assert!(all.iter().all(|found| *found == all[0]), "{place}: units differ");
                all[0].clone()
            };
            // Few products may be near 0 by chance, and then errors are large beside them.
            let slack = if rows * count < 100 { 1e3 } else { 1.0 };
            if !float {
                // Integers of 14 bits on both sides lose next to nothing.
                let all = error(&on_units(Numerics::A8), &decoded, &columns, cols);
                assert!(all < 1e-7 * slack, "{place}: {all}");
                let found = on_units(Numerics::Requantised);
                let all = error(&found, &decoded, &columns, cols);
                let weights = error(&found, &decoded, &rounded(&columns, cols), cols);
                // One group alone may keep its scale.
                let exact = slack > 1.0 || cols < 256;
                assert!(weights > 1e-7 || exact, "{place}: requantised, yet {weights}");
                // Weights in 8 bits lose as much again.
                assert!(weights < 1e-4 * slack && all < 3e-4 * slack, "{place}: {weights}, {all}");
            }
            if isa.bf16().is_some() {
                let all = error(&on_units(Numerics::Bf16), &decoded, &columns, cols);
                // A bf16 has eight bits, half a step of which is lost on either side.
                assert!((1e-9..2e-5 * slack).contains(&all), "{place}: {all} in bf16");
            }
        }
    }
}

/// Every way to be no number, of a weight and of a column, in its own product and in no other.
#[test]
fn what_is_no_number_stays_none_and_touches_no_other_product() {
    let Some(isa) = isa() else { return println!("skipped: no AVX-512 here") };
    let (rows, cols, count) = (20, 512, 50);
    let (bytes, _) = weights(Format::Q8_0, rows, cols);
    let columns: Vec<f32> = noise_of(count * cols);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (mut bytes, mut columns) = (bytes.clone(), columns.clone());
        let scale = half::f16::from_f32(bad).to_le_bytes();
        bytes[3 * Format::Q8_0.row_bytes(cols)..][..2].copy_from_slice(&scale);
        columns[7 * cols + 300] = bad;
        for unit in units() {
            for numerics in [Numerics::A8, Numerics::Requantised] {
                let isa = isa.on(Some(unit));
                let found = products(isa, numerics, Format::Q8_0, [rows, cols], &bytes, &columns);
                for (i, x) in found.iter().enumerate() {
                    assert_eq!(x.is_nan(), i % rows == 3 || i / rows == 7, "{bad} at {i}: {x}");
                }
            }
        }
    }
}

fn noise_of(count: usize) -> Vec<f32> {
    std::iter::repeat_with(noise(5)).take(count).collect()
}

#[test]
fn the_self_test_passes_on_every_unit_and_a_broken_one_is_found_out() {
    const ALL: [Planes; 3] = [Planes::Folded, Planes::Requantised, Planes::Brain];
    for planes in ALL {
        assert!(units().into_iter().all(|unit| selftest::agrees_with_twin(unit, planes)));
    }

    /// Takes the wrong register once in a while.
    struct Broken(twin::Twin);
    impl Unit for Broken {
        unsafe fn configure(&mut self, configuration: &Configuration) {
            self.0.reshape(*configuration);
        }
        unsafe fn release(&mut self) {
            self.0 = twin::Twin::NEW;
        }
        unsafe fn zero<const T: u8>(&mut self) {
            self.0.clear(if T == 3 { 2 } else { T });
        }
        unsafe fn load<const T: u8>(&mut self, from: *const u8, stride: usize) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.read(T, from, stride as isize) }
        }
        unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
            // SAFETY: the twin needs nothing but good pointers.
            unsafe { self.0.write(T, to.cast(), stride as isize) }
        }
        unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
            self.0.dot_bytes([C, A, B]);
        }
        unsafe fn multiply_brain<const C: u8, const A: u8, const B: u8>(&mut self) {
            self.0.dot_brains([C, A, B]);
        }
    }
    for planes in ALL {
        let good = selftest::products(Amx::TWIN, planes);
        let broken = selftest::products_by(planes, |work, products| {
            // SAFETY: the twin needs nothing.
            unsafe {
                gemm::by(Isa::Scalar, &mut Broken(twin::Twin::default()), work, products, || {});
            }
        });
        assert!(good.is_some() && broken.is_some() && good != broken, "{planes:?}");
    }
}

#[test]
fn the_device_is_offered_or_says_why_not() {
    match Amx::detect() {
        Ok(amx) => assert!(selftest::agrees_with_twin(amx, Planes::Folded)),
        Err(reason) => assert!(reason.contains("amx"), "{reason}"),
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

/// Multiplies twice and stores: what lies outside the tile stays as it was.
fn small<U: Unit>(
    unit: &mut U,
    shapes: [(u8, u8); 8],
    [a, b]: [&[u8]; 2],
    brain: bool,
) -> [i32; 256] {
    let mut c = [7_i32; 256];
    // SAFETY: arrays are whole tiles; the unit is the twin, or granted.
    unsafe {
        unit.configure(&Configuration { shapes });
        unit.zero::<0>();
        unit.load::<1>(a.as_ptr(), 64);
        unit.load::<2>(b.as_ptr(), 64);
        for _ in 0..2 {
            match brain {
                true => unit.multiply_brain::<0, 1, 2>(),
                false => unit.multiply::<0, 1, 2>(),
            }
        }
        unit.store::<0>(c.as_mut_ptr(), 64);
        unit.release();
    }
    c
}

/// The same by the instructions, where there is a way to run them.
fn by_instructions(shapes: [(u8, u8); 8], factors: [&[u8]; 2], brain: bool) -> Option<[i32; 256]> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        let granted = real::Granted::emulated(emulated::install());
        Some(small(&mut real::Real::new(granted), shapes, factors, brain))
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        let _ = (shapes, factors, brain);
        None
    }
}

proptest! {
    /// The pseudo-code of TDPBSSD and TDPBF16PS, on tiles that are not whole.
    #[test]
    fn units_multiply_small_tiles_as_the_manual_says(
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
        let bytes = |x: &[i8]| x.iter().map(|&x| x as u8).collect::<Vec<_>>();
        // Whole numbers, whose sums are exact in any order.
        let halves = |x: &[i8]| -> Vec<u8> {
            let half = |x: &i8| half::bf16::from_f32(f32::from(*x)).to_le_bytes();
            x[..512].iter().flat_map(half).collect()
        };
        for brain in [false, true] {
            let [left, right] = if brain { [halves(&a), halves(&b)] } else { [bytes(&a), bytes(&b)] };
            let twin = small(&mut twin::Twin::default(), shapes, [&left, &right], brain);
            let instructions = by_instructions(shapes, [&left, &right], brain);
            let row = if brain { 32 } else { 64 };
            let each = row / 16;
            for c in [Some(twin), instructions].into_iter().flatten() {
                for (i, found) in c.into_iter().enumerate() {
                    let (m_at, n_at) = (i / 16, i % 16);
                    let sum: i32 = (0..each * k)
                        .map(|i| {
                            let right = b[i / each * row + each * n_at + i % each];
                            i32::from(a[m_at * row + i]) * i32::from(right)
                        })
                        .sum();
                    let inside = m_at < m && n_at < n;
                    match (inside, brain) {
                        (false, _) => prop_assert_eq!(found, 7),
                        (true, false) => prop_assert_eq!(found, 2 * sum),
                        (true, true) => prop_assert_eq!(f32::from_bits(found as u32), 2.0 * sum as f32),
                    }
                }
            }
        }
    }
}
