//! A developer's stopwatch for single kernels, on data that stays in the L2 cache:
//! `cargo test --release -p yardstick-cpu --lib kernel_speed -- --ignored --nocapture`

use std::time::Instant;

use yardstick_api::Numerics;
use yardstick_model::Format;

use super::{Panel, TILE};
use crate::buffer::Buffer;
use crate::kernels::Isa;
use crate::kernels::activations::{Forms, Rows, Tiles};
use crate::kernels::multiply::{Input, Out, Weights, multiply};
use crate::kernels::packed::{Order, pack_panels};
use crate::kernels::table::Kernel;

const ROWS: usize = 64;
const COLS: usize = 2048;
const COLUMNS: usize = 256;

fn best(mut run: impl FnMut()) -> f64 {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..60).map(|_| once(&mut run)).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "a stopwatch, not a test"]
fn kernel_speed() {
    println!(
        "{:>12} {:>6} {:>7} {:>12} {:>12} {:>12}",
        "isa", "packed", "format", "rows GB/s", "Gmac/s", "panels Gmac/s"
    );
    for isa in Isa::usable().into_iter().rev() {
        for format in Format::ALL {
            let bytes = super::tests::random_rows(format, ROWS, COLS, 3);
            let kernel = Kernel::choose(format, isa, Numerics::A8);
            let mut panels = vec![0; bytes.len() + 64];
            let at = panels.as_ptr().align_offset(64);
            let order = kernel.packer(COLS).map(|pack| {
                let order = Order::of(format, COLS, 0);
                pack_panels(pack, &bytes, (format, COLS), order, &mut panels[at..][..bytes.len()]);
                order
            });
            let plain = Weights { kernel, format, cols: COLS, packed: None, bytes: &bytes };
            let packed = Weights { packed: order, bytes: &panels[at..][..bytes.len()], ..plain };
            for weights in [plain, packed] {
                let mut panel = Panel::new(COLS, true, true).unwrap();
                let forms =
                    Forms { int8: true, wide: true, float: true, brain: false, ..Forms::default() };
                let x = vec![0.5_f32; COLS * TILE];
                let mut rows = Rows::new(1, COLS).unwrap();
                rows.reset(COLS);
                rows.fill(isa, 0, &x[..COLS], forms);
                let tiles = Tiles::new(COLUMNS, COLS, forms).unwrap();
                // SAFETY: nobody else uses the tiles.
                (0..COLUMNS / TILE).for_each(|t| unsafe { tiles.fill(isa, t, &x, COLS, forms) });
                let out = Buffer::zeroed(ROWS * COLUMNS).unwrap();
                // SAFETY: the only user of `out` meanwhile.
                let to = unsafe { Out::new(&out, 0, ROWS) };
                let few = best(|| {
                    multiply(isa, &weights, 0..ROWS, Input::Rows(&rows, 1), &to, &mut panel)
                });
                let many = best(|| {
                    multiply(
                        isa,
                        &weights,
                        0..ROWS,
                        Input::Tiles(&tiles, COLUMNS),
                        &to,
                        &mut panel,
                    );
                });
                let macs = (ROWS * COLS) as f64 / 1e9;
                println!(
                    "{:>12} {:>6} {:>7} {:12.1} {:12.1} {:12.1}",
                    isa.name(),
                    weights.packed.is_some(),
                    format.name(),
                    bytes.len() as f64 / few / 1e9,
                    macs / few,
                    macs * COLUMNS as f64 / many
                );
            }
        }
    }
}
