//! Rotary position embedding: angles of each row of a chunk, and the rotation.

use yardstick_model::arch::{Rotary, RotaryStyle};

/// What does not change between rows.
pub(crate) struct Rotation {
    frequencies: Vec<f64>,
    style: RotaryStyle,
}

impl Rotation {
    pub(crate) fn new(rotary: &Rotary) -> Rotation {
        Rotation { frequencies: rotary.frequencies(), style: rotary.style }
    }

    /// Cosine and sine of each pair at a position, (pairs, 2).
    pub(crate) fn angles(&self, position: usize, out: &mut [f32]) {
        for (out, frequency) in out.chunks_exact_mut(2).zip(&self.frequencies) {
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            (out[0], out[1]) = (cos as f32, sin as f32);
        }
    }

    /// Rotates one head. `swapped` is the wrong pairing, for a mutant.
    pub(crate) fn rotate(&self, angles: &[f32], head: &mut [f32], swapped: bool) {
        let pairs = self.frequencies.len();
        let neighbours = (self.style == RotaryStyle::Interleaved) != swapped;
        for (i, angle) in angles.chunks_exact(2).enumerate() {
            let (a, b) = if neighbours { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
            let (cos, sin) = (angle[0], angle[1]);
            (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
        }
    }
}
