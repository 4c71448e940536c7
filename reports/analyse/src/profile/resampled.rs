//! Intervals of anything computed from rounds: percentiles over rounds drawn anew, the same ones for both sides, from a fixed seed.

use crate::{CONFIDENCE, Interval};

/// Times drawn.
const DRAWS: usize = 400;
/// Fewer rounds say nothing of their spread.
pub(super) const LEAST: usize = 5;

/// Intervals of the values that `of` computes from a choice of rounds; `None`: too few rounds, or a value that some draws lack.
///
/// The percentile bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. With few rounds it is
/// somewhat too narrow.
pub(super) fn intervals(
    rounds: usize,
    values: usize,
    of: impl Fn(&[usize]) -> Option<Vec<f64>>,
) -> Vec<Option<Interval>> {
    if rounds < LEAST {
        return vec![None; values];
    }
    let mut state = 0x5DEE_CE66_D1CE_4E5Bu64;
    let mut draws: Vec<Vec<f64>> = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let chosen: Vec<usize> =
            (0..rounds).map(|_| (next(&mut state) % rounds as u64) as usize).collect();
        draws.extend(of(&chosen));
    }
    (0..values).map(|i| interval(draws.iter().filter_map(|draw| draw.get(i)).copied())).collect()
}

fn interval(values: impl Iterator<Item = f64>) -> Option<Interval> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    if values.len() < DRAWS {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let at = |share: f64| ((values.len() - 1) as f64 * share).round() as usize;
    Some(Interval { low: values[at(tail)], high: values[at(1.0 - tail)], confidence: CONFIDENCE })
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
