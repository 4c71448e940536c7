//! Early exits, a study: how soon a model's own head would have said what it says in the end, and what a threshold would save at most.

use serde::Serialize;

/// The likeliest next token read after a layer, and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The token.
    pub token: u32,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// A threshold: a position ends at the first layer whose head is at least as sure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exit {
    /// Probability from which a position ends.
    pub threshold: f64,
    /// Share of the layers that is computed, on average.
    pub computed: f64,
    /// Share of positions that say what the whole model says.
    pub agreement: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exits {
    /// Positions read.
    pub positions: usize,
    /// Of each layer: share of positions whose likeliest token is that of the last.
    pub agreement: Vec<f64>,
    /// Of each layer: share of positions that agree from it on to the last.
    pub settled: Vec<f64>,
    /// Thresholds, rising.
    pub thresholds: Vec<Exit>,
}

/// Thresholds tried.
const TRIED: [f64; 8] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999];

/// Of readings (positions, layers), each position with as many layers as the first; none without any.
pub fn exits(readings: &[Vec<Reading>]) -> Option<Exits> {
    let layers = readings.first()?.len();
    if layers == 0 || readings.iter().any(|position| position.len() != layers) {
        return None;
    }
    let share = |count: usize| count as f64 / readings.len() as f64;
    let agrees =
        |position: &[Reading], layer: usize| position[layer].token == position[layers - 1].token;
    let counted = |of: &dyn Fn(&[Reading], usize) -> bool| {
        (0..layers).map(|layer| share(readings.iter().filter(|p| of(p, layer)).count())).collect()
    };
    let settled = |position: &[Reading], layer: usize| (layer..layers).all(|l| agrees(position, l));
    Some(Exits {
        positions: readings.len(),
        agreement: counted(&agrees),
        settled: counted(&settled),
        thresholds: TRIED.into_iter().map(|threshold| exit(readings, threshold)).collect(),
    })
}

fn exit(readings: &[Vec<Reading>], threshold: f64) -> Exit {
    let (mut computed, mut agreed) = (0, 0);
    for position in readings {
        let last = position.len() - 1;
        let sure = position.iter().position(|reading| reading.probability >= threshold);
        let at = sure.unwrap_or(last);
        computed += at + 1;
        agreed += usize::from(position[at].token == position[last].token);
    }
    let layers: usize = readings.iter().map(Vec::len).sum();
    Exit {
        threshold,
        computed: computed as f64 / layers as f64,
        agreement: agreed as f64 / readings.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(of: &[(u32, f64)]) -> Vec<Reading> {
        of.iter().map(|&(token, probability)| Reading { token, probability }).collect()
    }

    #[test]
    fn agreement_settling_and_thresholds_are_counted_by_hand() {
        let readings = [
            position(&[(7, 0.2), (7, 0.6), (7, 0.99), (7, 0.9)]),
            position(&[(1, 0.95), (2, 0.4), (1, 0.5), (2, 0.6)]),
        ];
        let found = exits(&readings).unwrap();
        assert_eq!(found.positions, 2);
        assert_eq!(found.agreement, [0.5, 1.0, 0.5, 1.0]);
        assert_eq!(found.settled, [0.5, 0.5, 0.5, 1.0]);
        let of = |threshold| found.thresholds.iter().find(|e| e.threshold == threshold).unwrap();
        // The first leaves after layer 2, the second, wrongly, after layer 1: 3 of 8.
        assert_eq!((of(0.5).computed, of(0.5).agreement), (3.0 / 8.0, 0.5));
        // Nobody is as sure: everything is computed.
        assert_eq!((of(0.999).computed, of(0.999).agreement), (1.0, 1.0));
    }

    #[test]
    fn nothing_and_unequal_positions_are_no_study() {
        assert_eq!(exits(&[]), None);
        assert_eq!(exits(&[Vec::new()]), None);
        assert_eq!(exits(&[position(&[(1, 0.5)]), position(&[(1, 0.5), (1, 0.5)])]), None);
    }
}
