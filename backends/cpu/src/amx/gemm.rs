//! Two planes of weights times many columns on tiles: registers 0 to 3 are sums (two tiles of columns, two planes), 4 and 5
//! columns, 6 and 7 the planes. The planes are the high and low parts of sixteen rows, or two panels of requantised rows.

use std::ops::Range;

use super::activations::{Activations, BLOCK};
use super::planes::Planes;
use super::twin::Twin;
use super::unit::{Configuration, ROW_BYTES, ROWS, Unit};

/// Bytes of a tile.
const TILE: usize = ROWS * ROW_BYTES;

/// What is multiplied.
pub(super) struct Work<'a> {
    /// Whole tiles of the weights `deep`.
    pub(super) planes: [&'a [i8]; 2],
    /// Of each plane, (deep / 256, 16).
    pub(super) scales: [&'a [[f32; ROWS]]; 2],
    pub(super) activations: &'a Activations,
    /// Length of the rows of which `deep` are multiplied; its start is a multiple of 256.
    pub(super) cols: usize,
    pub(super) deep: Range<usize>,
    /// Columns.
    pub(super) count: usize,
}

/// Sums of one tile, (columns, rows).
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Sums([[i32; ROWS]; ROWS]);

/// Gives `emit` each column's products with the sixteen rows whose high and low parts the planes are.
///
/// # Safety
/// The unit is there and granted; nobody writes the activations meanwhile.
pub(super) unsafe fn folded<U: Unit>(
    unit: &mut U,
    work: &Work<'_>,
    mut emit: impl FnMut(usize, &[f32; ROWS]),
) {
    // SAFETY: the caller's.
    unsafe {
        run(
            unit,
            work,
            |high, low| 64 * high + low,
            |_, low| low,
            |column, products| {
                emit(column, products[0]);
            },
        );
    }
}

/// Gives `emit` each column's products with the rows of the two panels that the planes are.
///
/// # Safety
/// As [`folded`].
pub(super) unsafe fn paired<U: Unit>(
    unit: &mut U,
    work: &Work<'_>,
    emit: impl FnMut(usize, [&[f32; ROWS]; 2]),
) {
    // SAFETY: the caller's.
    unsafe { run(unit, work, |first, _| first, |_, second| second, emit) };
}

/// Makes two results of the sums of the planes.
///
/// # Safety
/// As [`folded`].
unsafe fn run<U: Unit>(
    unit: &mut U,
    work: &Work<'_>,
    first: impl Fn(i32, i32) -> i32,
    second: impl Fn(i32, i32) -> i32,
    mut emit: impl FnMut(usize, [&[f32; ROWS]; 2]),
) {
    // SAFETY: the caller's.
    unsafe { unit.configure(&Configuration::WHOLE) };
    for column in (0..work.count).step_by(2 * ROWS) {
        let mut products = [[[0.0_f32; ROWS]; 2]; 2 * ROWS];
        for start in work.deep.clone().step_by(BLOCK) {
            let block = start..(start + BLOCK).min(work.deep.end);
            // SAFETY: the caller's; the unit is configured.
            let sums = unsafe { block_sums(unit, work, column / ROWS, &block) };
            let scales = work.scales.map(|scales| &scales[(start - work.deep.start) / BLOCK]);
            for (i, products) in products.iter_mut().enumerate().take(work.count - column) {
                let (a, b) = (&sums[i / ROWS * 2].0[i % ROWS], &sums[i / ROWS * 2 + 1].0[i % ROWS]);
                // SAFETY: the caller's.
                let scale = unsafe { work.activations.scale(column + i, work.cols, start / BLOCK) };
                for r in 0..ROWS {
                    products[0][r] += scales[0][r] * scale * first(a[r], b[r]) as f32;
                    products[1][r] += scales[1][r] * scale * second(a[r], b[r]) as f32;
                }
            }
        }
        for (i, products) in products.iter().enumerate().take(work.count - column) {
            emit(column + i, [&products[0], &products[1]]);
        }
    }
    // SAFETY: the caller's.
    unsafe { unit.release() };
}

/// Sums over one block, at most 256 deep, of two tiles of columns and two planes: 64 * 256 * 127 * 127 fits 32 bits.
///
/// # Safety
/// As [`run`]; the unit is configured.
unsafe fn block_sums<U: Unit>(
    unit: &mut U,
    work: &Work<'_>,
    tile: usize,
    block: &Range<usize>,
) -> [Sums; 4] {
    let mut sums = [Sums([[0; ROWS]; ROWS]); 4];
    let at = block.start - work.deep.start;
    let planes = at * ROWS..(at + block.len().next_multiple_of(ROW_BYTES)) * ROWS;
    let [high, low] = work.planes.map(|plane| &plane[planes.clone()]);
    // SAFETY: the caller's; slices are whole tiles, and activations are there in twos.
    unsafe {
        let columns = work.activations.tiles(tile, work.cols, block);
        let more = work.activations.tiles(tile + 1, work.cols, block);
        unit.zero::<0>();
        unit.zero::<1>();
        unit.zero::<2>();
        unit.zero::<3>();
        for at in (0..columns.len()).step_by(TILE) {
            unit.load::<4>(columns.as_ptr().add(at), ROW_BYTES);
            unit.load::<6>(high.as_ptr().add(at), ROW_BYTES);
            unit.multiply::<0, 4, 6>();
            unit.load::<7>(low.as_ptr().add(at), ROW_BYTES);
            unit.multiply::<1, 4, 7>();
            unit.load::<5>(more.as_ptr().add(at), ROW_BYTES);
            unit.multiply::<2, 5, 6>();
            unit.multiply::<3, 5, 7>();
        }
        let [a, b, c, d] = &mut sums;
        unit.store::<0>(a.0.as_mut_ptr().cast(), ROW_BYTES);
        unit.store::<1>(b.0.as_mut_ptr().cast(), ROW_BYTES);
        unit.store::<2>(c.0.as_mut_ptr().cast(), ROW_BYTES);
        unit.store::<3>(d.0.as_mut_ptr().cast(), ROW_BYTES);
    }
    sums
}

/// The self-test: made-up weights and columns, bit for bit as the twin has them.
///
/// # Safety
/// The unit is there and granted.
#[cfg_attr(not(any(test, target_arch = "x86_64")), allow(dead_code, reason = "no unit to test"))]
pub(super) unsafe fn agrees_with_twin<U: Unit>(unit: &mut U) -> bool {
    const DEEP: usize = 480;
    const COUNT: usize = 37;
    let mut planes = Planes::new();
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8 as i8;
    for (i, (high, low)) in planes.high.0.iter_mut().zip(&mut planes.low.0).enumerate() {
        (*high, *low) = (byte(i).max(-127), byte(i + 77) >> 2);
    }
    planes.scales = std::array::from_fn(|b| std::array::from_fn(|r| (1 + b + r) as f32 / 64.0));
    let Ok(activations) = Activations::new(COUNT, DEEP) else { return false };
    for row in 0..COUNT {
        let x: Vec<f32> = (0..DEEP).map(|k| f32::from(byte(row * DEEP + k + 5)) / 9.0).collect();
        // SAFETY: nobody else has them.
        unsafe { activations.put(row, &x) };
    }
    let work = Work {
        planes: [&planes.high.0, &planes.low.0],
        scales: [&planes.scales; 2],
        activations: &activations,
        cols: DEEP,
        deep: 0..DEEP,
        count: COUNT,
    };
    let (mut found, mut expected) = (vec![[0.0; ROWS]; COUNT], vec![[0.0; ROWS]; COUNT]);
    // SAFETY: the caller's.
    unsafe {
        folded(unit, &work, |column, values| found[column] = *values);
        folded(&mut Twin::default(), &work, |column, values| expected[column] = *values);
    }
    found == expected
}
