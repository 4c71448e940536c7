//! A pair of panels times many columns on tiles: registers 0 to 3 are sums (two tiles of columns, two planes), 4 and 5 columns,
//! 6 and 7 the planes. The planes are the upper and lower part of one panel's sixteen rows, or the rows of both panels.
//! Where they are parts, columns have two planes as well, and what the upper parts of one and the lower ones of the other
//! give share the second sums.
//!
//! Sums leave their registers through memory and are scaled by vectors. That is done between the multiplications of the sums that
//! follow, so that a processor that reorders does both at once.

use std::ops::Range;

use super::columns::{BLOCK, Columns, FOLDED};
use super::scale::{Eight, Plain, Vectors};
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
    /// Length of the columns of which `deep` are multiplied; its start is a multiple of 256, and of 512 where they are folded.
    pub(crate) cols: usize,
    pub(crate) deep: Range<usize>,
    /// Eights of columns, from an even one on.
    pub(crate) eights: Range<usize>,
}

/// Sums of one tile, (columns, rows).
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Sums([[i32; ROWS]; ROWS]);

/// Which sums are made at once.
#[derive(Clone, Debug)]
struct Place {
    /// First of the eights of columns.
    eight: usize,
    /// First panel.
    panel: usize,
    /// Of `deep`.
    block: Range<usize>,
}

/// Sums made at once, and what scales them.
struct Item<'a> {
    /// First of the eights of columns, of those of the work.
    eight: usize,
    panel: usize,
    /// Two tiles wide, whole tiles; and the lower plane, where there is one.
    columns: [&'a [u8]; 2],
    lower: [&'a [u8]; 2],
    /// As many tiles of each.
    planes: [&'a [u8]; 2],
    /// Scales of the rows of each panel; of those that are bf16 none.
    rows: [&'a [f32; ROWS]; PAIR],
    /// Scales of each eight columns.
    scales: [&'a [f32; TILE]; EIGHTS],
}

impl<'a> Work<'a> {
    /// Everything there is to sum. All of a panel's blocks meet two tiles of columns before the next do.
    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let panels = if self.planes == Planes::Folded { PAIR } else { 1 };
        let (deep, eights) = (self.deep.clone(), self.eights.clone());
        // Sums of bf16 need no scale, and may be as deep as they like.
        let each = match self.planes {
            Planes::Folded => FOLDED,
            Planes::Requantised => BLOCK,
            Planes::Brain => deep.len().max(1),
        };
        eights.step_by(EIGHTS).flat_map(move |eight| {
            let deep = deep.clone();
            (0..panels).flat_map(move |panel| {
                let blocks = deep.clone().step_by(each);
                let end = deep.end;
                blocks.map(move |at| Place { eight, panel, block: at..(at + each).min(end) })
            })
        })
    }

    /// What is there.
    ///
    /// # Safety
    /// Nobody writes the columns or the panels meanwhile.
    unsafe fn item(&self, place: &Place) -> Item<'a> {
        const NONE: (&[f32; ROWS], &[f32; TILE]) = (&[1.0; ROWS], &[1.0; TILE]);
        let brain = self.planes == Planes::Brain;
        let tile = place.eight * TILE / ROWS;
        // SAFETY: not written (the caller).
        let [[a, b], [c, d]] = [tile, tile + 1].map(|tile| unsafe {
            match self.planes {
                Planes::Folded => self.columns.folded_of(tile, self.cols, &place.block),
                Planes::Requantised => {
                    [self.columns.wide_of(tile, self.cols, &place.block), &[][..]]
                }
                Planes::Brain => [self.columns.brains_of(tile, self.cols, &place.block), &[][..]],
            }
        });
        let (columns, lower) = ([a, c], [b, d]);
        let first = place.block.start - self.deep.start;
        let bytes = first * ROWS * if brain { 2 } else { 1 };
        let bytes = bytes..bytes + columns[0].len();
        // One a block; of what is folded, a block is all there is.
        let at = first / BLOCK * ROWS;
        // SAFETY: not written (the caller).
        let (planes, rows) = unsafe {
            let planes = match self.planes {
                Planes::Folded => {
                    let panel = &self.pair[place.panel];
                    [panel.q.read(bytes.clone()), panel.low.read(bytes)]
                }
                Planes::Requantised => {
                    self.pair.each_ref().map(|panel| panel.q.read(bytes.clone()))
                }
                Planes::Brain => self.pair.each_ref().map(|panel| {
                    let words = panel.float.read(bytes.start / 4..bytes.end / 4);
                    std::slice::from_raw_parts(words.as_ptr().cast(), bytes.len())
                }),
            };
            let rows = self.pair.each_ref().map(|panel| match brain {
                true => NONE.0,
                false => panel.scales.read(at..at + ROWS).as_array().expect("sixteen of them"),
            });
            (planes, rows)
        };
        let scales = std::array::from_fn(|i| {
            // Beyond the last there are none.
            let (at, start) = ((place.eight + i).min(self.eights.end - 1), place.block.start);
            // SAFETY: not written (the caller).
            unsafe {
                match self.planes {
                    Planes::Folded => self.columns.folded_scales(at, self.cols, start / FOLDED),
                    Planes::Requantised => self.columns.wide_scales(at, self.cols, start / BLOCK),
                    Planes::Brain => NONE.1,
                }
            }
        });
        let eight = place.eight - self.eights.start;
        Item { eight, panel: place.panel, columns, lower, planes, rows, scales }
    }
}

/// Scales eight columns of an item's sums, and adds them to the products of the work's eights.
#[inline(always)]
fn finish<V: Vectors>(
    vectors: V,
    planes: Planes,
    item: &Item<'_>,
    eight: usize,
    sums: &[Sums; 4],
    products: &mut [[Product; PAIR]],
) {
    let Some(to) = products.get_mut(item.eight + eight) else { return };
    let first: &Eight = &sums[eight / 2 * 2].0.as_chunks().0[eight % 2];
    let second: &Eight = &sums[eight / 2 * 2 + 1].0.as_chunks().0[eight % 2];
    let (rows, columns) = (item.rows, item.scales[eight]);
    match planes {
        Planes::Folded => {
            let p = item.panel;
            vectors.add_folded(first, second, rows[p], columns, &mut to[p]);
        }
        Planes::Requantised => {
            vectors.add_scaled(first, rows[0], columns, &mut to[0]);
            vectors.add_scaled(second, rows[1], columns, &mut to[1]);
        }
        Planes::Brain => {
            vectors.add_floats(first, &mut to[0]);
            vectors.add_floats(second, &mut to[1]);
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
    assert!(work.planes != Planes::Folded || work.deep.start.is_multiple_of(FOLDED));
    match amx.which {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: granted; the rest is the caller's.
        Which::Real(granted) => unsafe {
            by(isa, &mut super::real::Real::new(granted), work, products, each);
        },
        #[cfg(test)]
        // SAFETY: the caller's.
        Which::Nothing => unsafe { by(isa, &mut super::speed::Nothing, work, products, each) },
        // SAFETY: the caller's.
        Which::Twin => unsafe { by(isa, &mut Twin::default(), work, products, each) },
    }
}

/// As [`multiply`], on a unit.
///
/// # Safety
/// The unit is there and granted; and as there.
pub(super) unsafe fn by<U: Unit>(
    isa: Isa,
    unit: &mut U,
    work: &Work<'_>,
    products: &mut [[Product; PAIR]],
    each: impl FnMut(),
) {
    /// Compiled for AVX-512, so that no call lies between the multiplications and what scales their sums.
    ///
    /// # Safety
    /// As [`by`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn avx512<U: Unit>(
        vectors: super::scale::Avx512,
        unit: &mut U,
        work: &Work<'_>,
        products: &mut [[Product; PAIR]],
        each: impl FnMut(),
    ) {
        // SAFETY: the caller's.
        unsafe { run(vectors, unit, work, products, each) };
    }
    #[cfg(target_arch = "x86_64")]
    if let Isa::Avx512Vnni(proof) = isa {
        let vectors = super::scale::Avx512::new(proof);
        // SAFETY: the value proves the features; the rest is the caller's.
        return unsafe { avx512(vectors, unit, work, products, each) };
    }
    let _ = isa;
    // SAFETY: the caller's.
    unsafe { run(Plain, unit, work, products, each) };
}

/// # Safety
/// As [`by`].
#[inline(always)]
unsafe fn run<V: Vectors, U: Unit>(
    vectors: V,
    unit: &mut U,
    work: &Work<'_>,
    products: &mut [[Product; PAIR]],
    mut each: impl FnMut(),
) {
    let planes = work.planes;
    let [mut one, mut other] = [[Sums([[0; ROWS]; ROWS]); 4]; 2];
    let (mut now, mut last) = (&mut one, &mut other);
    let mut before: Option<Item<'_>> = None;
    // SAFETY: the caller's.
    unsafe { unit.configure(&Configuration::WHOLE) };
    for place in work.places() {
        // SAFETY: the caller's.
        let item = unsafe { work.item(&place) };
        if before.as_ref().is_none_or(|before| before.eight != item.eight) {
            each();
        }
        let steps = item.columns[0].len() / TILE_BYTES;
        // SAFETY: the caller's; the unit is configured, and slices are whole tiles.
        unsafe { zero(unit) };
        for step in 0..steps.max(EIGHTS) {
            if step < steps {
                // SAFETY: as above.
                unsafe { add(unit, planes, &item, step * TILE_BYTES) };
            }
            if let Some(before) = before.as_ref().filter(|_| step < EIGHTS) {
                finish(vectors, planes, before, step, last, products);
            }
        }
        // SAFETY: as above.
        unsafe { store(unit, now) };
        std::mem::swap(&mut now, &mut last);
        before = Some(item);
    }
    // SAFETY: the caller's.
    unsafe { unit.release() };
    if let Some(item) = &before {
        for eight in 0..EIGHTS {
            finish(vectors, planes, item, eight, last, products);
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
/// The unit is there, granted and configured.
#[inline(always)]
unsafe fn add<U: Unit>(unit: &mut U, planes: Planes, item: &Item<'_>, at: usize) {
    let of = |tiles: &[u8]| tiles[at..at + TILE_BYTES].as_ptr();
    let ([a, b], [c, d]) = (item.columns, item.planes);
    let (a, b, c, d) = (of(a), of(b), of(c), of(d));
    // SAFETY: the caller's; whole tiles are there (checked).
    unsafe {
        unit.load::<4>(a, ROW_BYTES);
        unit.load::<7>(d, ROW_BYTES);
        unit.load::<5>(b, ROW_BYTES);
        unit.load::<6>(c, ROW_BYTES);
        match planes {
            Planes::Brain => {
                unit.multiply_brain::<1, 4, 7>();
                unit.multiply_brain::<3, 5, 7>();
                unit.multiply_brain::<0, 4, 6>();
                unit.multiply_brain::<2, 5, 6>();
            }
            Planes::Requantised => {
                unit.multiply::<1, 4, 7>();
                unit.multiply::<3, 5, 7>();
                unit.multiply::<0, 4, 6>();
                unit.multiply::<2, 5, 6>();
            }
            Planes::Folded => {
                let [e, f] = item.lower;
                let (e, f) = (of(e), of(f));
                // In an order in which no sum waits for the last but one.
                unit.multiply::<1, 4, 7>();
                unit.multiply::<3, 5, 7>();
                unit.multiply::<0, 4, 6>();
                unit.load::<7>(e, ROW_BYTES);
                unit.multiply::<1, 7, 6>();
                unit.load::<4>(f, ROW_BYTES);
                unit.multiply::<3, 4, 6>();
                unit.multiply::<2, 5, 6>();
            }
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
