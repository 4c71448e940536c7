//! Costs: least squares on relative errors, no cost below 0, costs of one kind drawn towards their mean.

use std::collections::BTreeMap;

use yardstick_model::Format;

/// What a test takes at the device's ceilings, seconds; layers are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shares {
    /// Weights, by format.
    pub(crate) formats: BTreeMap<Format, f64>,
    /// Keys and values (decode), the attention's operations (prefill).
    pub(crate) attention: f64,
    /// Layers passed.
    pub(crate) layers: f64,
    /// Operations of further sequences (decode), weight bytes (prefill).
    pub(crate) beside: f64,
}

/// Seconds per second at the ceiling, and seconds per layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Costs {
    formats: BTreeMap<Format, f64>,
    /// Of a format that no cell had.
    other: f64,
    attention: f64,
    layers: f64,
    beside: f64,
}

/// How strongly costs of formats and of the attention are drawn to their mean, in cells: one cell outweighs it by far, so that only
/// what is hardly measured moves.
const PULL: f64 = 0.005;
/// The same towards 0 for layers and what is beside: so little that it only decides what the cells leave open.
const TOWARDS_NONE: f64 = 1e-4;
const MOST_SWEEPS: usize = 20_000;
const STEADY: f64 = 1e-10;

impl Costs {
    /// Of measured cells, each with its seconds; `None` without any.
    pub(crate) fn learn(cells: &[(Shares, f64)]) -> Option<Costs> {
        let mut formats: Vec<Format> =
            cells.iter().flat_map(|(shares, _)| shares.formats.keys().copied()).collect();
        formats.sort();
        formats.dedup();
        let row = |(shares, seconds): &(Shares, f64)| {
            let of = |format| shares.formats.get(format).copied().unwrap_or(0.0);
            let rest = [shares.attention, shares.layers, shares.beside];
            let all = formats.iter().map(of).chain(rest);
            all.map(|share| share / seconds).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = cells.iter().map(row).collect();
        let (costs, other) = solve(&rows, formats.len())?;
        let at = formats.len();
        Some(Costs {
            formats: formats.into_iter().zip(costs.iter().copied()).collect(),
            other,
            attention: costs[at],
            layers: costs[at + 1],
            beside: costs[at + 2],
        })
    }

    /// Of a test.
    pub(crate) fn seconds(&self, shares: &Shares) -> f64 {
        let cost = |format: &Format| self.formats.get(format).unwrap_or(&self.other);
        shares.formats.iter().map(|(format, share)| cost(format) * share).sum::<f64>()
            + self.attention * shares.attention
            + self.layers * shares.layers
            + self.beside * shares.beside
    }
}

/// Costs whose products with each row are nearest to 1, and the mean of the formats'. The first `formats` columns have it as their mean,
/// the next one is drawn to it, the others to 0. Coordinate descent: the problem is convex, and a cost stops at 0.
fn solve(rows: &[Vec<f64>], formats: usize) -> Option<(Vec<f64>, f64)> {
    let columns = rows.first()?.len();
    let unit = rows.iter().flat_map(|row| &row[..formats]).sum::<f64>() / rows.len() as f64;
    if !(unit.is_finite() && unit > 0.0) {
        return None;
    }
    // Sums over rows of products of two columns, and of each column.
    let products: Vec<Vec<f64>> = (0..columns)
        .map(|j| (0..columns).map(|k| rows.iter().map(|row| row[j] * row[k]).sum()).collect())
        .collect();
    let sums: Vec<f64> = (0..columns).map(|j| rows.iter().map(|row| row[j]).sum()).collect();
    let mut mean = 1.0 / unit;
    let mut costs: Vec<f64> = (0..columns).map(|j| if j <= formats { mean } else { 0.0 }).collect();
    for _ in 0..MOST_SWEEPS {
        let mut moved = 0.0_f64;
        for j in 0..columns {
            let square = products[j][j];
            let (pull, target) = match j <= formats {
                true => (PULL * unit * unit, mean),
                false => (TOWARDS_NONE * square, 0.0),
            };
            if square + pull <= 0.0 {
                continue;
            }
            let others: f64 =
                products[j].iter().zip(&costs).map(|(product, cost)| product * cost).sum();
            let left = sums[j] - others + square * costs[j];
            let cost = ((left + pull * target) / (square + pull)).max(0.0);
            moved = moved.max((cost - costs[j]).abs() * square.sqrt());
            costs[j] = cost;
        }
        mean = costs[..formats].iter().sum::<f64>() / formats as f64;
        if moved < STEADY {
            break;
        }
    }
    Some((costs, mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(q4: f64, q8: f64, attention: f64, layers: f64) -> Shares {
        let formats = [(Format::Q4_0, q4), (Format::Q8_0, q8)].into_iter().filter(|f| f.1 > 0.0);
        Shares { formats: formats.collect(), attention, layers, beside: 0.0 }
    }

    #[test]
    fn without_noise_the_costs_come_back() {
        let truth = |s: &Shares| {
            let of = |format| s.formats.get(&format).unwrap_or(&0.0);
            1.5 * of(Format::Q4_0) + 1.2 * of(Format::Q8_0) + 2.0 * s.attention + 4e-5 * s.layers
        };
        let cells: Vec<(Shares, f64)> = [
            (1.0, 0.0, 0.01, 300.0),
            (4.0, 0.0, 0.05, 200.0),
            (0.0, 2.0, 0.02, 300.0),
            (0.0, 8.0, 0.10, 200.0),
            (1.0, 0.0, 1.00, 300.0),
            (0.0, 2.0, 2.00, 3000.0),
        ]
        .into_iter()
        .map(|(q4, q8, attention, layers)| shares(q4, q8, attention, layers))
        .map(|s| (s.clone(), truth(&s)))
        .collect();
        let costs = Costs::learn(&cells).unwrap();
        for s in [shares(40.0, 0.0, 1.0, 800.0), shares(0.0, 0.5, 3.0, 30.0)] {
            let (found, expected) = (costs.seconds(&s), truth(&s));
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected} {costs:?}");
        }
    }

    #[test]
    fn a_format_never_seen_costs_what_the_others_do_on_average() {
        let cells = [(shares(1.0, 0.0, 0.0, 0.0), 2.0), (shares(0.0, 1.0, 0.0, 0.0), 4.0)];
        let costs = Costs::learn(&cells).unwrap();
        let unseen = Shares { formats: [(Format::Q6_K, 1.0)].into(), ..Shares::default() };
        assert!((costs.seconds(&unseen) - 3.0).abs() < 0.05);
    }

    #[test]
    fn nothing_is_learnt_of_nothing_and_no_cost_is_negative() {
        assert_eq!(Costs::learn(&[]), None);
        // More layers took less time: noise, not a gift.
        let cells = [(shares(1.0, 0.0, 0.0, 10.0), 1.0), (shares(1.0, 0.0, 0.0, 20.0), 0.9)];
        assert_eq!(Costs::learn(&cells).unwrap().layers, 0.0);
    }
}
