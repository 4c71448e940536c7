//! Weights rounded anew, coarser than in the file: what providers take that take nothing else. Never chosen silently: such a run
//! is labelled, verified against these values, and its divergence from the file's own weights is stated beside its speed. Not the numerics
//! class `requantised`, arithmetic whose answers are held to the file's weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A scheme of symmetric integers: a weight is `code * scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WeightScheme {
    /// 4 bits, a scale for 128 weights of a row (a shorter last group where a row ends).
    #[serde(rename = "int4-g128")]
    Int4Group128,
    /// 4 bits, a scale for every row.
    #[serde(rename = "int4-channel")]
    Int4Channel,
    /// 8 bits, a scale for every row.
    #[serde(rename = "int8-channel")]
    Int8Channel,
    /// 8 bits, a scale for every row, and what goes into and comes out of a product rounded to 16 bits, in ranges that a calibration
    /// found.
    #[serde(rename = "w8a16")]
    W8A16,
}

impl WeightScheme {
    /// The note of `facts.notes` in which a session names the scheme it runs; absent where weights are the file's.
    pub const NOTE: &'static str = "weight scheme";

    /// Every one, most exact first.
    pub const ALL: [WeightScheme; 4] = [
        WeightScheme::Int8Channel,
        WeightScheme::W8A16,
        WeightScheme::Int4Group128,
        WeightScheme::Int4Channel,
    ];

    /// The name used in suites and tables.
    pub fn name(self) -> &'static str {
        match self {
            WeightScheme::Int4Group128 => "int4-g128",
            WeightScheme::Int4Channel => "int4-channel",
            WeightScheme::Int8Channel => "int8-channel",
            WeightScheme::W8A16 => "w8a16",
        }
    }

    /// Bits of a code.
    pub fn bits(self) -> usize {
        match self {
            WeightScheme::Int4Group128 | WeightScheme::Int4Channel => 4,
            WeightScheme::Int8Channel | WeightScheme::W8A16 => 8,
        }
    }

    /// Activations are rounded too: answers are held to the class `a8` of the weights' own.
    pub fn rounds_activations(self) -> bool {
        self == WeightScheme::W8A16
    }

    /// Weights of a row of `cols` that share a scale.
    pub fn group(self, cols: usize) -> usize {
        match self {
            WeightScheme::Int4Group128 => 128,
            WeightScheme::Int4Channel | WeightScheme::Int8Channel | WeightScheme::W8A16 => cols,
        }
    }

    /// Codes (cols) and scales (a group each) of a row. The weight farthest from 0 becomes the lowest code, which reaches one step
    /// farther than the highest; the scale is below 0 where that weight is above. Providers that quantise products whole take such
    /// scales and compute nonsense: for them the weight becomes the highest code or its opposite.
    pub fn encode(self, row: &[f32], codes: &mut Vec<i8>, scales: &mut Vec<f32>) {
        let lowest = -(1_i32 << (self.bits() - 1));
        codes.clear();
        scales.clear();
        for group in row.chunks(self.group(row.len()).max(1)) {
            let farthest =
                group.iter().fold(0.0_f32, |far, &w| if w.abs() > far.abs() { w } else { far });
            let scale = match self.rounds_activations() {
                true => farthest.abs() / (-lowest - 1) as f32,
                false => farthest / lowest as f32,
            };
            scales.push(scale);
            let code = |&w: &f32| match scale {
                0.0 => 0,
                _ => (w / scale).round().clamp(lowest as f32, (-lowest - 1) as f32) as i8,
            };
            codes.extend(group.iter().map(code));
        }
    }

    /// The values that a row becomes, in place.
    pub fn round(self, row: &mut [f32], codes: &mut Vec<i8>, scales: &mut Vec<f32>) {
        self.encode(row, codes, scales);
        let length = self.group(row.len()).max(1);
        for ((group, codes), &scale) in
            row.chunks_mut(length).zip(codes.chunks(length)).zip(&*scales)
        {
            group.iter_mut().zip(codes).for_each(|(w, &code)| *w = f32::from(code) * scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(scheme: WeightScheme, row: &[f32]) -> Vec<f32> {
        let mut row = row.to_vec();
        scheme.round(&mut row, &mut Vec::new(), &mut Vec::new());
        row
    }

    #[test]
    fn a_weight_is_off_by_half_a_step_at_most_except_at_the_short_end() {
        let row: Vec<f32> = (0..300).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
        for scheme in WeightScheme::ALL {
            let lowest = (1 << (scheme.bits() - 1)) as f32;
            let found = rounded(scheme, &row);
            for (found, group) in found.chunks(scheme.group(300)).zip(row.chunks(scheme.group(300)))
            {
                let far = group.iter().fold(0.0_f32, |far, w| far.max(w.abs()));
                let off = found.iter().zip(group).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off <= far / lowest * 1.001, "{}: {off} of {far}", scheme.name());
            }
        }
    }

    #[test]
    fn rounding_what_was_rounded_changes_nothing_and_zeros_stay() {
        let row: Vec<f32> = (0..256).map(|i| (i as f32 * 0.7).sin()).collect();
        for scheme in WeightScheme::ALL {
            let once = rounded(scheme, &row);
            assert_eq!(rounded(scheme, &once), once, "{}", scheme.name());
            assert_eq!(rounded(scheme, &[0.0; 8]), [0.0; 8]);
            assert!(rounded(scheme, &[]).is_empty());
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for scheme in WeightScheme::ALL {
            let text = serde_json::to_string(&scheme).unwrap();
            assert_eq!(text, format!("{:?}", scheme.name()));
        }
    }
}
