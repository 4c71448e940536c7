//! Rotary position embedding: pairs of elements of each head turned by an angle that grows with the position.

use yardstick_model::arch::{Rotary, RotaryStyle};

/// The angles of a chunk's rows.
pub(crate) struct Angles {
    style: RotaryStyle,
    /// (rows, pairs): cosine and sine.
    turns: Vec<(f32, f32)>,
    pairs: usize,
}

impl Angles {
    /// `frequencies` are [`Rotary::frequencies`]. The angle is formed in f64: at position 100,000 an f32
    /// product would be off by thousandths.
    pub(crate) fn new(
        rotary: &Rotary,
        frequencies: &[f64],
        positions: impl Iterator<Item = usize>,
    ) -> Angles {
        let magnitude = f64::from(rotary.magnitude);
        let turns = positions
            .flat_map(|position| {
                frequencies.iter().map(move |frequency| {
                    let (sin, cos) = (position as f64 * frequency).sin_cos();
                    ((cos * magnitude) as f32, (sin * magnitude) as f32)
                })
            })
            .collect();
        Angles { style: rotary.style, turns, pairs: frequencies.len() }
    }

    /// Turns every head of `x` (rows, heads, dim) in place; elements beyond the rotated ones stay.
    pub(crate) fn rotate(&self, x: &mut [f32], heads: usize, dim: usize) {
        if self.pairs == 0 {
            return;
        }
        let rows = x.chunks_exact_mut(heads * dim).zip(self.turns.chunks_exact(self.pairs));
        for (row, turns) in rows {
            for head in row.chunks_exact_mut(dim) {
                for (i, &(cos, sin)) in turns.iter().enumerate() {
                    let (first, second) = match self.style {
                        RotaryStyle::Interleaved => (2 * i, 2 * i + 1),
                        RotaryStyle::Halves => (i, i + self.pairs),
                    };
                    let (a, b) = (head[first], head[second]);
                    head[first] = a * cos - b * sin;
                    head[second] = a * sin + b * cos;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use yardstick_model::arch::Factors;

    use super::*;

    #[test]
    fn pairs_turn_by_position_times_frequency_and_the_rest_stays() {
        let cases = [
            (RotaryStyle::Interleaved, 1.0, [0.0, 1.0, 0.0, 2.0]),
            (RotaryStyle::Halves, 1.0, [0.0, 0.0, 1.0, 2.0]),
            (RotaryStyle::Halves, 3.0, [0.0, 0.0, 3.0, 6.0]),
        ];
        for (style, magnitude, expected) in cases {
            let factors = Factors::None;
            let (base, scale, yarn) = (10_000.0, 1.0, None);
            let rotary = Rotary { style, dims: 4, base, scale, factors, magnitude, yarn };
            // A quarter turn of the first pair, none of the second.
            let angles = Angles::new(&rotary, &[std::f64::consts::FRAC_PI_2, 0.0], [1].into_iter());
            let mut head = [1.0, 0.0, 0.0, 2.0, 9.0];
            angles.rotate(&mut head, 1, 5);
            for (value, expected) in head.iter().zip(expected.iter().chain(&[9.0])) {
                assert!((value - expected).abs() < 1e-6, "{style:?}: {head:?}");
            }
        }
    }
}
