//! A pair of panels times many columns on tiles: registers 0 to 3 are sums (two tiles of columns, two planes), 4 and 5 columns,
//! 6 and 7 the planes. The planes are the upper and lower part of one panel's sixteen rows, or the rows of both panels.
//!
//! Sums leave their registers through memory and are scaled by vectors. That is done between the multiplications of the sums that
//! follow, so that a processor that reorders does both at once.

use std::ops::Range;

use super::columns::{BLOCK, Columns};
use super::scale::{Eight, add_floats, add_folded, add_scaled};
use super::twin::Twin;
use super::unit::{Configuration, ROW_BYTES, ROWS, Unit};
use super::{Amx, Planes, Which};
use crate::kernels::integer::{PAIR, Product, Unpacked};
use crate::kernels::{Isa, TILE};

/// Bytes of a tile.
const TILE_BYTES: usize = ROWS * ROW_BYTES;
/// Eights of columns that sums are of.
pub(crate) const EIGHTS: usize = 2 * ROWS / TILE;

/// What is multiplied.
pub(crate) struct Work<'a> {
    pub(crate) planes: Planes,
    /// Weights `deep` of two panels, as `planes` says, whole tiles.
    pub(crate) pair: &'a [Unpacked; PAIR],
    pub(crate) columns: &'a Columns,
    /// Length of the columns of which `deep` are multiplied; its start is a multiple of 256.
    pub(crate) cols: usize,
    pub(crate) deep: Range<usize>,
    /// Eights of columns, from an even one on.
    pub(crate) eights: Range<usize>,
}

/// Sums of one tile, (columns, rows).
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Sums([[i32; ROWS]; ROWS]);

/// Sums made at once.
#[derive(Clone, Debug)]
struct Item {
    /// First of the eights of columns.
    eight: usize,
    /// First panel.
    panel: usize,
    /// Of `deep`.
    block: Range<usize>,
}

impl Work<'_> {
    /// Everything there is to sum. All of a panel's blocks meet two tiles of columns before the next do.
    fn items(&self) -> impl Iterator<Item = Item> {
        let panels = if self.planes == Planes::Folded { PAIR } else { 1 };
        let (deep, eights) = (self.deep.clone(), self.eights.clone());
        // Sums of bf16 need no scale, and may be as deep as they like.
        let each = if self.planes == Planes::Brain { deep.len().max(1) } else { BLOCK };
        eights.step_by(EIGHTS).flat_map(move |eight| {
            let deep = deep.clone();
            (0..panels).flat_map(move |panel| {
                let blocks = deep.clone().step_by(each);
                let end = deep.end;
                blocks.map(move |at| Item { eight, panel, block: at..(at + each).min(end) })
            })
        })
    }

    /// Columns of two tiles, and the two planes they meet: whole tiles, equally many.
    ///
    /// # Safety
    /// Nobody writes the columns or the panels meanwhile.
    unsafe fn tiles(&self, item: &Item) -> ([&[u8]; 2], [&[u8]; 2]) {
        let tile = item.eight * TILE / ROWS;
        let brain = self.planes == Planes::Brain;
        // SAFETY: not written (the caller).
        let columns = [tile, tile + 1].map(|tile| unsafe {
            match brain {
                true => self.columns.brains_of(tile, self.cols, &item.block),
                false => self.columns.bytes_of(tile, self.cols, &item.block),
            }
        });
        let bytes = if brain { 2 } else { 1 };
        let first = (item.block.start - self.deep.start) * ROWS * bytes;
        let place = first..first + columns[0].len();
        // SAFETY: not written (the caller).
        let planes = unsafe {
            match self.planes {
                Planes::Folded => {
                    let panel = &self.pair[item.panel];
                    [panel.q.read(place.clone()), panel.low.read(place)]
                }
                Planes::Requantised => [0, 1].map(|p: usize| self.pair[p].q.read(place.clone())),
                Planes::Brain => [0, 1].map(|p: usize| {
                    let words = self.pair[p].float.read(place.start / 4..place.end / 4);
                    std::slice::from_raw_parts(words.as_ptr().cast(), place.len())
                }),
            }
        };
        (columns, planes)
    }

    /// Scales eight columns of an item's sums, and adds them to the products of the work's eights.
    ///
    /// # Safety
    /// Nobody writes the columns or the panels meanwhile.
    unsafe fn finish(
        &self,
        isa: Isa,
        item: &Item,
        eight: usize,
        sums: &[Sums; 4],
        products: &mut [[Product; PAIR]],
    ) {
        let Some(to) = products.get_mut(item.eight - self.eights.start + eight) else { return };
        let of = |plane: usize| -> &Eight {
            let tile = &sums[eight / 2 * 2 + plane].0;
            &tile.as_chunks().0[eight % 2]
        };
        if self.planes == Planes::Brain {
            return (0..PAIR).for_each(|p| add_floats(isa, of(p), &mut to[p]));
        }
        let at = (item.block.start - self.deep.start) / BLOCK * ROWS;
        let rows = |p: usize| -> &[f32; ROWS] {
            // SAFETY: not written (the caller).
            let scales = unsafe { self.pair[p].scales.read(at..at + ROWS) };
            scales.as_array().expect("sixteen of them")
        };
        let block = item.block.start / BLOCK;
        // SAFETY: not written (the caller).
        let columns = unsafe { self.columns.scales_of(item.eight + eight, self.cols, block) };
        match self.planes {
            Planes::Folded => {
                let p = item.panel;
                add_folded(isa, of(0), of(1), rows(p), columns, &mut to[p]);
            }
            _ => (0..PAIR).for_each(|p| add_scaled(isa, of(p), rows(p), columns, &mut to[p])),
        }
    }
}

/// Adds the products of the panels and the columns to those of each eight. `each` is called now and then, as often as there are
/// pairs of tiles of columns.
///
/// # Safety
/// Nobody writes the columns or the panels meanwhile.
pub(crate) unsafe fn multiply(
    isa: Isa,
    amx: Amx,
    work: &Work<'_>,
    products: &mut [[Product; PAIR]],
    each: impl FnMut(),
) {
    assert_eq!(products.len(), work.eights.len());
    assert!(work.eights.start.is_multiple_of(2) && work.deep.start.is_multiple_of(BLOCK));
    match amx.which {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: granted; the rest is the caller's.
        Which::Real(granted) => unsafe {
            run(isa, &mut super::real::Real::new(granted), work, products, each);
        },
        // SAFETY: the caller's.
        Which::Twin => unsafe { run(isa, &mut Twin::default(), work, products, each) },
    }
}

/// As [`multiply`].
///
/// # Safety
/// The unit is there and granted; and as there.
pub(super) unsafe fn run<U: Unit>(
    isa: Isa,
    unit: &mut U,
    work: &Work<'_>,
    products: &mut [[Product; PAIR]],
    mut each: impl FnMut(),
) {
    let [mut one, mut other] = [[Sums([[0; ROWS]; ROWS]); 4]; 2];
    let (mut now, mut last) = (&mut one, &mut other);
    let mut before: Option<Item> = None;
    // SAFETY: the caller's.
    unsafe { unit.configure(&Configuration::WHOLE) };
    for item in work.items() {
        if before.as_ref().is_none_or(|before| before.eight != item.eight) {
            each();
        }
        // SAFETY: the caller's; the unit is configured, and slices are whole tiles.
        unsafe {
            let (columns, planes) = work.tiles(&item);
            zero(unit);
            let steps = columns[0].len() / TILE_BYTES;
            for step in 0..steps.max(EIGHTS) {
                if step < steps {
                    add(unit, work.planes == Planes::Brain, columns, planes, step * TILE_BYTES);
                }
                if let Some(before) = before.as_ref().filter(|_| step < EIGHTS) {
                    work.finish(isa, before, step, last, products);
                }
            }
            store(unit, now);
        }
        std::mem::swap(&mut now, &mut last);
        before = Some(item);
    }
    // SAFETY: the caller's.
    unsafe {
        unit.release();
        for eight in 0..EIGHTS {
            if let Some(item) = &before {
                work.finish(isa, item, eight, last, products);
            }
        }
    }
}

/// No sums.
///
/// # Safety
/// The unit is there, granted and configured.
#[inline(always)]
unsafe fn zero<U: Unit>(unit: &mut U) {
    // SAFETY: the caller's.
    unsafe {
        unit.zero::<0>();
        unit.zero::<1>();
        unit.zero::<2>();
        unit.zero::<3>();
    }
}

/// Adds the products of the tiles at a place.
///
/// # Safety
/// The unit is there, granted and configured; whole tiles are at the place.
#[inline(always)]
unsafe fn add<U: Unit>(
    unit: &mut U,
    brain: bool,
    columns: [&[u8]; 2],
    planes: [&[u8]; 2],
    at: usize,
) {
    let [a, b, c, d] = [columns[0], columns[1], planes[0], planes[1]]
        .map(|tiles| tiles[at..at + TILE_BYTES].as_ptr());
    // SAFETY: the caller's.
    unsafe {
        unit.load::<4>(a, ROW_BYTES);
        unit.load::<6>(c, ROW_BYTES);
        unit.load::<7>(d, ROW_BYTES);
        unit.load::<5>(b, ROW_BYTES);
        if brain {
            unit.multiply_brain::<0, 4, 6>();
            unit.multiply_brain::<1, 4, 7>();
            unit.multiply_brain::<2, 5, 6>();
            unit.multiply_brain::<3, 5, 7>();
        } else {
            unit.multiply::<0, 4, 6>();
            unit.multiply::<1, 4, 7>();
            unit.multiply::<2, 5, 6>();
            unit.multiply::<3, 5, 7>();
        }
    }
}

/// Sums to memory.
///
/// # Safety
/// The unit is there, granted and configured.
#[inline(always)]
unsafe fn store<U: Unit>(unit: &mut U, sums: &mut [Sums; 4]) {
    let [a, b, c, d] = sums;
    // SAFETY: the caller's; sums are whole tiles.
    unsafe {
        unit.store::<0>(a.0.as_mut_ptr().cast(), ROW_BYTES);
        unit.store::<1>(b.0.as_mut_ptr().cast(), ROW_BYTES);
        unit.store::<2>(c.0.as_mut_ptr().cast(), ROW_BYTES);
        unit.store::<3>(d.0.as_mut_ptr().cast(), ROW_BYTES);
    }
}
