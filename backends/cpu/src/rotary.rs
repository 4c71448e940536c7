//! Rotary position embedding: angles of each row of a chunk, and the rotation.

use std::ops::Range;

use yardstick_model::Architecture;
use yardstick_model::arch::{Rotary, RotaryStyle};

/// What does not change between rows, of one of a model's rotary embeddings.
pub(crate) struct Rotation {
    frequencies: Vec<f64>,
    style: RotaryStyle,
    magnitude: f64,
    /// Where its cosines and sines are in a row of angles.
    place: Range<usize>,
}

impl Rotation {
    /// Every rotary embedding of a model, in a session of `context` positions.
    pub(crate) fn all(architecture: &Architecture, context: usize) -> Vec<Rotation> {
        let mut start = 0;
        let one = |rotary: &Rotary| {
            let rotation = Rotation::new(rotary, context, start);
            start = rotation.place.end;
            rotation
        };
        architecture.rotary.iter().map(one).collect()
    }

    /// One whose angles begin at `start` of a row of angles.
    pub(crate) fn new(rotary: &Rotary, context: usize, start: usize) -> Rotation {
        Rotation {
            frequencies: rotary.frequencies(context),
            style: rotary.style,
            magnitude: f64::from(rotary.magnitude),
            place: start..start + rotary.dims,
        }
    }

    /// Cosine and sine of each pair at a position, (pairs, 2), into a row of angles.
    pub(crate) fn angles(&self, position: usize, out: &mut [f32]) {
        let out = &mut out[self.place.clone()];
        for (out, frequency) in out.chunks_exact_mut(2).zip(&self.frequencies) {
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            (out[0], out[1]) = ((cos * self.magnitude) as f32, (sin * self.magnitude) as f32);
        }
    }

    /// Rotates one head by a row of angles. `swapped` is the wrong pairing, for a mutant.
    pub(crate) fn rotate(&self, angles: &[f32], head: &mut [f32], swapped: bool) {
        let pairs = self.frequencies.len();
        let neighbours = (self.style == RotaryStyle::Interleaved) != swapped;
        for (i, angle) in angles[self.place.clone()].chunks_exact(2).enumerate() {
            let (a, b) = if neighbours { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
            let (cos, sin) = (angle[0], angle[1]);
            (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
        }
    }
}
