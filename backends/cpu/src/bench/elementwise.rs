//! Operations on one row of f32, and rows to 8 bits.

use yardstick_api::Error;
use yardstick_model::arch::{Factors, Rotary as Embedding, RotaryStyle};

use super::{Slices, ramp};
use crate::kernels::activations::{Forms, Rows, Tiles};
use crate::kernels::elementwise::{exponentials, largest, rms_norm, scale, silu_times};
use crate::kernels::{Isa, TILE};
use crate::rotary::Rotation;

/// An operation on rows of f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elementwise {
    /// RMS norm of a row.
    RmsNorm,
    /// `silu(gate) * up` of a row.
    SiluTimes,
    /// Softmax of a row: largest, exponentials, scale.
    Softmax,
    /// Rotation of a row of 64-wide heads, pairs of halves.
    Rotary,
    /// A row to 8 bits, as decode reads it.
    QuantiseRow,
    /// Eight rows to 8 bits, as prefill reads them.
    QuantiseTile,
}

/// What an operation works on, how it is run and how its result is read.
struct Row<S, R: FnMut(&mut S), O: Fn(&S) -> Vec<f32>> {
    state: S,
    run: R,
    output: O,
}

impl<S, R: FnMut(&mut S), O: Fn(&S) -> Vec<f32>> Slices for Row<S, R, O> {
    fn count(&self) -> usize {
        1
    }

    fn run(&mut self, _: usize) {
        (self.run)(&mut self.state);
    }

    fn output(&self) -> Vec<f32> {
        (self.output)(&self.state)
    }
}

fn boxed<S: 'static>(
    state: S,
    run: impl FnMut(&mut S) + 'static,
    output: impl Fn(&S) -> Vec<f32> + 'static,
) -> Box<dyn Slices> {
    Box::new(Row { state, run, output })
}

/// An operation on a row of `width`.
pub(super) fn row(
    isa: Isa,
    operation: Elementwise,
    width: usize,
) -> Result<Box<dyn Slices>, Error> {
    let x = ramp(width);
    let int8 = Forms { int8: true, ..Forms::default() };
    Ok(match operation {
        Elementwise::RmsNorm => {
            let weight = vec![1.0; width];
            let run = move |out: &mut Vec<f32>| rms_norm(isa, &x, &weight, 1e-5, out);
            boxed(vec![0.0; width], run, Vec::clone)
        }
        Elementwise::SiluTimes => {
            let run = move |gate: &mut Vec<f32>| {
                gate.copy_from_slice(&x);
                silu_times(isa, gate, &x);
            };
            boxed(vec![0.0; width], run, Vec::clone)
        }
        Elementwise::Softmax => {
            let run = move |scores: &mut Vec<f32>| {
                scores.copy_from_slice(&x);
                let shift = largest(isa, scores);
                let sum = exponentials(isa, scores, shift);
                scale(isa, scores, 1.0 / sum);
            };
            boxed(vec![0.0; width], run, Vec::clone)
        }
        Elementwise::Rotary => {
            let rotation = Rotation::new(&rotary(), 4096, 0);
            let mut angles = vec![0.0; HEAD];
            rotation.angles(1000, &mut angles);
            let run = move |heads: &mut Vec<f32>| {
                heads.chunks_exact_mut(HEAD).for_each(|head| {
                    rotation.rotate(&angles, head, false);
                });
            };
            boxed(x, run, Vec::clone)
        }
        Elementwise::QuantiseRow => {
            let mut rows = Rows::new(1, width)?;
            rows.reset(width);
            let run = move |rows: &mut Rows| rows.fill(isa, 0, &x, int8);
            boxed(rows, run, |rows| {
                let row = rows.row(0);
                row.q.iter().map(|&q| f32::from(q)).chain(row.lanes.iter().copied()).collect()
            })
        }
        Elementwise::QuantiseTile => {
            let x = ramp(TILE * width);
            let run = move |tiles: &mut Tiles| {
                // SAFETY: the tiles are this row's own.
                unsafe { tiles.fill(isa, 0, &x, width, int8) };
            };
            boxed(Tiles::new(TILE, width, int8)?, run, move |tiles| {
                // SAFETY: nothing writes them meanwhile: `run` needs `&mut self`.
                let tile = unsafe { tiles.tile(0, width, int8) };
                tile.q.iter().map(|&q| f32::from(q)).chain(tile.scale.iter().copied()).collect()
            })
        }
    })
}

/// Width of a head that turns.
const HEAD: usize = 64;

fn rotary() -> Embedding {
    let (style, factors) = (RotaryStyle::Halves, Factors::None);
    Embedding { style, dims: HEAD, base: 1e4, scale: 1.0, factors, magnitude: 1.0, yarn: None }
}
