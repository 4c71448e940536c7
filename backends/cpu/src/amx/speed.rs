//! What stands beside the tiles, timed with a unit that does nothing: what a processor needs at least, whatever its tiles can.
//! `cargo test --release -p yardstick-cpu --lib beside_the_tiles -- --ignored --nocapture`

use std::time::{Duration, Instant};

use yardstick_api::Numerics;
use yardstick_model::Format;

use super::unit::{Configuration, Unit};
use super::{Amx, Which};
use crate::buffer::Buffer;
use crate::kernels::activations::Tiles;
use crate::kernels::integer::Panel;
use crate::kernels::packed::{Order, pack_panels, packed_bytes};
use crate::kernels::{Input, Isa, Kernel, Out, TILE, Weights, multiply};

const ROWS: usize = 512;
const COLS: usize = 2048;
const COUNT: usize = 512;
const TRIES: usize = 60;

/// Sums stay what they were.
pub(super) struct Nothing;

impl Unit for Nothing {
    unsafe fn configure(&mut self, _: &Configuration) {}
    unsafe fn release(&mut self) {}
    unsafe fn zero<const T: u8>(&mut self) {}
    unsafe fn load<const T: u8>(&mut self, from: *const u8, _: usize) {
        std::hint::black_box(from);
    }
    unsafe fn store<const T: u8>(&mut self, to: *mut i32, _: usize) {
        std::hint::black_box(to);
    }
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {}
    unsafe fn multiply_brain<const C: u8, const A: u8, const B: u8>(&mut self) {}
}

/// The fastest of many products of packed weights, one thread.
fn fastest(isa: Isa, format: Format, numerics: Numerics) -> Duration {
    let kernel = Kernel::choose(format, isa, numerics);
    let forms = kernel.forms();
    let row_bytes = format.row_bytes(COLS);
    let bytes: Vec<u8> = (0..ROWS * row_bytes).map(|i| (i * 7 % 29) as u8).collect();
    let mut packed = Buffer::<u8>::zeroed(packed_bytes(ROWS, row_bytes)).unwrap();
    let order = kernel.packer(COLS).map(|pack| {
        let order = Order::of(format, COLS, 0);
        pack_panels(pack, &bytes, (format, COLS), order, packed.all_mut());
        order
    });
    let tiles = Tiles::new(COUNT, COLS, forms).unwrap();
    let x: Vec<f32> = (0..TILE * COLS).map(|i| (i * 37 % 200) as f32 / 100.0 - 0.995).collect();
    for tile in 0..COUNT / TILE {
        // SAFETY: nobody else has them.
        unsafe { tiles.fill(isa, tile, &x, COLS, forms) };
    }
    let bytes = if order.is_some() { packed.all_mut() } else { &bytes[..] };
    let weights = Weights { kernel, format, cols: COLS, packed: order, bytes };
    let out = Buffer::zeroed(COUNT * ROWS).unwrap();
    let mut panel = Panel::new(COLS, true, true).unwrap();
    let times = (0..TRIES).map(|_| {
        // SAFETY: nobody else has the buffer.
        let to = unsafe { Out::new(&out, 0, ROWS) };
        let start = Instant::now();
        multiply(isa, &weights, 0..ROWS, Input::Tiles(&tiles, COUNT), &to, &mut panel);
        start.elapsed()
    });
    times.min().unwrap()
}

#[test]
#[ignore = "a measurement, for an idle machine and a release build"]
fn beside_the_tiles() {
    let found = Isa::usable().into_iter().find(|isa| matches!(isa, Isa::Avx512Vnni(_)));
    let Some(plain) = found else { return println!("skipped: no AVX-512 here") };
    let nothing = plain.on(Some(Amx { which: Which::Nothing, bf16: true }));
    for (format, numerics) in [
        (Format::Q4_K, Numerics::A8),
        (Format::Q8_0, Numerics::A8),
        (Format::Q4_K, Numerics::Requantised),
        (Format::Q8_0, Numerics::Requantised),
        (Format::F16, Numerics::Bf16),
    ] {
        let [vectors, beside] = [plain, nothing].map(|isa| fastest(isa, format, numerics));
        println!("{format:?} {numerics:?}: vectors {vectors:.2?}, beside the tiles {beside:.2?}");
    }
}
