//! `cpu:amx`: prefill on Intel's matrix unit, decode on the AVX-512 kernels.
//!
//! Weights become two planes of bytes with one scale per row and 256 weights ([`planes`]), activations one plane with one scale
//! per 256 ([`activations`]), so that sums stay in tile registers over four multiplications 64 deep. In the numerics class
//! `requantised` weights are one plane, and two panels take the place of two planes. Tile operations stand
//! behind [`unit::Unit`]: the real ones are inline assembly, and a twin in plain Rust runs the same driver on any machine.
//! **No processor with AMX has run the real ones yet**: the device is offered only where they agree with the twin at the start.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only tests make a unit"))]

mod activations;
mod gemm;
mod planes;
#[cfg(target_arch = "x86_64")]
mod real;
#[cfg(test)]
mod tests;
mod twin;
mod unit;

use std::ops::Range;

use yardstick_api::Error;

pub(crate) use activations::Activations;
use planes::Planes;
use unit::ROW_BYTES;

use crate::kernels::integer::{DEPTH, PAIR, Panel, ROWS, Unpacked};
use crate::kernels::wide::requantise;
use crate::kernels::{Isa, Kernel, Out, Weights, grouping, unpack};

/// Which tiles multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tiles {
    /// The processor's.
    #[cfg(target_arch = "x86_64")]
    Real(real::Granted),
    /// Plain Rust: slow, for tests.
    #[cfg_attr(not(test), allow(dead_code, reason = "made by tests"))]
    Twin,
}

impl Tiles {
    /// The processor's, if it has them, the system grants them, and they agree with the twin; or why not.
    pub(crate) fn detect() -> Result<Tiles, String> {
        #[cfg(target_arch = "x86_64")]
        {
            let granted = real::Granted::request()?;
            // SAFETY: granted.
            let agree = unsafe { gemm::agrees_with_twin(&mut real::Real::new(granted)) };
            match agree {
                true => Ok(Tiles::Real(granted)),
                false => Err("its tiles disagree with their emulation in the self-test".into()),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Err("the processor lacks amx-int8".into())
    }
}

/// What a session on the matrix unit has more.
pub(crate) struct Amx {
    tiles: Tiles,
    /// Input of many columns.
    pub(crate) activations: Activations,
}

impl Amx {
    /// For `rows` rows of up to `cols`.
    pub(crate) fn new(tiles: Tiles, rows: usize, cols: usize) -> Result<Amx, Error> {
        Ok(Amx { tiles, activations: Activations::new(rows, cols)? })
    }

    /// Multiplies `rows` of the weights by the first `count` activations: false, and nothing done, if their format has no planes.
    ///
    /// The activations have been written in an earlier phase.
    pub(crate) fn multiply(
        &self,
        isa: Isa,
        weights: &Weights<'_>,
        rows: Range<usize>,
        count: usize,
        out: &Out<'_>,
        panel: &mut Panel,
    ) -> bool {
        let (Kernel::Integer(kernel), Some(grouping)) = (weights.kernel, grouping(weights.format))
        else {
            return false;
        };
        let mut planes = Planes::new();
        let together = if weights.kernel.requantises() { 2 * ROWS } else { ROWS };
        for first in rows.clone().step_by(together) {
            let some = first..(first + together).min(rows.end);
            for from in (0..weights.cols).step_by(DEPTH) {
                let deep = from..(from + DEPTH).min(weights.cols);
                let add = |column: usize, rows: Range<usize>, values: &[f32; ROWS]| {
                    for (to, value) in out.rows(column, rows).iter_mut().zip(values) {
                        *to = if from > 0 { *to + value } else { *value };
                    }
                };
                if together == ROWS {
                    let to = &mut panel.pair[0];
                    unpack(kernel, weights, some.clone(), deep.clone(), to);
                    planes.fold(to, grouping, deep.len());
                    let of = ([&planes.high.0[..], &planes.low.0], [&planes.scales[..]; 2]);
                    let work = self.work(of, weights.cols, deep, count);
                    self.folded(&work, |column, values| add(column, some.clone(), values));
                    continue;
                }
                let middle = (some.start + ROWS).min(some.end);
                let halves = [some.start..middle, middle..some.end];
                for (to, rows) in panel.pair.iter_mut().zip(&halves) {
                    unpack(kernel, weights, rows.clone(), deep.clone(), to);
                    requantise(isa, grouping, to, deep.len());
                    let end = deep.len().next_multiple_of(ROW_BYTES) * ROWS;
                    to.q.all_mut()[deep.len() * ROWS..end].fill(0);
                }
                // SAFETY: only this thread has its panels.
                let of = unsafe { signed(&panel.pair) };
                let work = self.work(of, weights.cols, deep, count);
                self.paired(&work, |column, values| {
                    for (rows, values) in halves.iter().zip(values) {
                        add(column, rows.clone(), values);
                    }
                });
            }
        }
        true
    }

    fn work<'a>(
        &'a self,
        (planes, scales): ([&'a [i8]; 2], [&'a [[f32; ROWS]]; 2]),
        cols: usize,
        deep: Range<usize>,
        count: usize,
    ) -> gemm::Work<'a> {
        gemm::Work { planes, scales, activations: &self.activations, cols, deep, count }
    }

    fn folded(&self, work: &gemm::Work<'_>, emit: impl FnMut(usize, &[f32; ROWS])) {
        match self.tiles {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: granted; activations were written before (the caller).
            Tiles::Real(granted) => unsafe {
                gemm::folded(&mut real::Real::new(granted), work, emit);
            },
            // SAFETY: activations were written before (the caller).
            Tiles::Twin => unsafe { gemm::folded(&mut twin::Twin::default(), work, emit) },
        }
    }

    fn paired(&self, work: &gemm::Work<'_>, emit: impl FnMut(usize, [&[f32; ROWS]; 2])) {
        match self.tiles {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: granted; activations were written before (the caller).
            Tiles::Real(granted) => unsafe {
                gemm::paired(&mut real::Real::new(granted), work, emit);
            },
            // SAFETY: activations were written before (the caller).
            Tiles::Twin => unsafe { gemm::paired(&mut twin::Twin::default(), work, emit) },
        }
    }
}

/// Requantised panels as planes, and their scales: lines of four weights of each row are rows of a tile.
///
/// # Safety
/// Nobody writes the panels meanwhile.
unsafe fn signed(pair: &[Unpacked; PAIR]) -> ([&[i8]; 2], [&[[f32; ROWS]]; 2]) {
    let plane = |p: usize| {
        // SAFETY: not written (the caller).
        let bytes: &[u8] = unsafe { pair[p].q.read(0..pair[p].q.len()) };
        // SAFETY: the same bytes as signed ones.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<i8>(), bytes.len()) }
    };
    // SAFETY: not written (the caller).
    let scales = |p: usize| unsafe { pair[p].scales.read(0..pair[p].scales.len()) };
    ([plane(0), plane(1)], [scales(0).as_chunks().0, scales(1).as_chunks().0])
}
