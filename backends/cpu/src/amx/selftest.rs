//! The test at the start: made-up panels and columns, on the tiles and on their twin, bit for bit.

use super::columns::Columns;
use super::gemm::{Work, multiply};
use super::{Amx, Planes};
use crate::kernels::activations::Forms;
use crate::kernels::float::word;
use crate::kernels::integer::{DEPTH, PAIR, Panel, Product, ROWS, Unpacked};
use crate::kernels::{Isa, TILE};

/// A whole block of 256 and a part of one; of folded weights, whose blocks are 512, a part.
const DEEP: usize = 480;
/// Columns of three pairs of tiles, the last not whole, and no whole eights.
const COUNT: usize = 77;

/// What there is to multiply. Sums of bf16 are exact: nothing depends on their order.
fn made_up(planes: Planes) -> Option<([Unpacked; PAIR], Columns)> {
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    let mut pair = Panel::new(DEPTH, true, true).ok()?.pair;
    for (p, panel) in pair.iter_mut().enumerate() {
        for (i, q) in panel.q.all_mut().iter_mut().enumerate() {
            *q = byte(i + 11 * p);
        }
        for (i, q) in panel.low.all_mut().iter_mut().enumerate() {
            *q = (byte(i + 77 * p) as i8 >> 2) as u8;
        }
        for (i, scale) in panel.scales.all_mut().iter_mut().enumerate() {
            *scale = (1 + i % 61 + p) as f32 / 64.0;
        }
        if planes == Planes::Brain {
            for (i, lines) in panel.float.all_mut().iter_mut().enumerate() {
                let whole = |i: usize| f32::from(byte(i) as i8 >> 3);
                *lines = f32::from_bits(word(whole(i), whole(i + 5)));
            }
        }
    }
    let forms = Forms {
        int8: planes == Planes::Folded,
        wide: planes == Planes::Requantised,
        brain: planes == Planes::Brain,
        matrix: true,
        float: false,
    };
    let columns = Columns::new(COUNT, DEEP, forms).ok()?;
    for tile in 0..COUNT.div_ceil(TILE) {
        let here = (COUNT - tile * TILE).min(TILE) * DEEP;
        let value = |i: usize| f32::from(byte(tile * 4099 + i) as i8 >> 3);
        let x: Vec<f32> = (0..here).map(value).collect();
        // SAFETY: nobody else has them.
        unsafe { columns.fill(Isa::Scalar, tile, &x, DEEP, forms) };
    }
    Some((pair, columns))
}

/// Multiplies them.
pub(super) fn products(amx: Amx, planes: Planes) -> Option<Vec<[Product; PAIR]>> {
    products_by(planes, |work, products| {
        // SAFETY: nobody else has panels or columns.
        unsafe { multiply(Isa::Scalar, amx, work, products, || {}) };
    })
}

/// The same, by whoever.
pub(super) fn products_by(
    planes: Planes,
    multiply: impl FnOnce(&Work<'_>, &mut [[Product; PAIR]]),
) -> Option<Vec<[Product; PAIR]>> {
    let (pair, columns) = made_up(planes)?;
    let eights = 0..COUNT.div_ceil(TILE);
    let mut products = vec![[[[0.0; ROWS]; TILE]; PAIR]; eights.len()];
    let work = Work { planes, pair: &pair, columns: &columns, cols: DEEP, deep: 0..DEEP, eights };
    multiply(&work, &mut products);
    Some(products)
}

/// The unit does what the twin does.
#[cfg_attr(not(any(test, target_arch = "x86_64")), allow(dead_code, reason = "no unit to test"))]
pub(super) fn agrees_with_twin(amx: Amx, planes: Planes) -> bool {
    let (found, expected) = (products(amx, planes), products(Amx::TWIN, planes));
    found.is_some() && found == expected
}
