//! `cpu:amx`: prefill on Intel's matrix unit, decode on the AVX-512 kernels.
//!
//! Weights become two planes of bytes with one scale per row and 256 weights ([`planes`]), activations one plane with one scale
//! per 256 ([`activations`]), so that sums stay in tile registers over four multiplications 64 deep. Tile operations stand
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

use crate::kernels::integer::{DEPTH, Panel, ROWS};
use crate::kernels::{Kernel, Out, Weights, grouping, unpack};

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
        for first in rows.clone().step_by(ROWS) {
            let some = first..(first + ROWS).min(rows.end);
            for from in (0..weights.cols).step_by(DEPTH) {
                let deep = from..(from + DEPTH).min(weights.cols);
                let to = &mut panel.pair[0];
                unpack(kernel, weights, some.clone(), deep.clone(), to);
                planes.fold(to, grouping, deep.len());
                let work = gemm::Work {
                    planes: &planes,
                    activations: &self.activations,
                    cols: weights.cols,
                    deep: deep.clone(),
                    count,
                };
                let emit = |column: usize, values: &[f32; ROWS]| {
                    let to = out.rows(column, some.clone());
                    for (to, value) in to.iter_mut().zip(values) {
                        *to = if from > 0 { *to + value } else { *value };
                    }
                };
                match self.tiles {
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: granted; activations were written before (the caller).
                    Tiles::Real(granted) => unsafe {
                        gemm::run(&mut real::Real::new(granted), &work, emit);
                    },
                    // SAFETY: activations were written before (the caller).
                    Tiles::Twin => unsafe { gemm::run(&mut twin::Twin::default(), &work, emit) },
                }
            }
        }
        true
    }
}
