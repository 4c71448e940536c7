//! Costs: least squares on relative errors, no cost below 0, costs of one kind drawn towards their mean.

use std::collections::BTreeMap;

use yardstick_model::Layout;

/// What a test takes at the device's ceilings, seconds; layers are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shares {
    /// Weights, by how they are stored.
    pub(crate) layouts: BTreeMap<Layout, f64>,
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
    layouts: BTreeMap<Layout, f64>,
    /// Of what no cell had.
    other: f64,
    /// Whether tiled matrices have costs of their own.
    tiles: bool,
    attention: f64,
    layers: f64,
    beside: f64,
}

/// How strongly costs of layouts and of the attention are drawn to their mean, in cells: one cell outweighs it by far, so that only
/// what is hardly measured moves.
const PULL: f64 = 0.005;
/// The same towards 0 for layers and what is beside: so little that it only decides what the cells leave open.
const TOWARDS_NONE: f64 = 1e-4;
const MOST_SWEEPS: usize = 20_000;
const STEADY: f64 = 1e-10;

impl Costs {
    /// Of measured cells, each with its seconds; `None` without any. `tiles`: tiled matrices have costs of their own.
    pub(crate) fn learn(cells: &[(Shares, f64)], tiles: bool) -> Option<Costs> {
        let kept = cells.iter().map(|(shares, seconds)| (shares.layouts(tiles), shares, *seconds));
        let cells: Vec<(BTreeMap<Layout, f64>, &Shares, f64)> = kept.collect();
        let mut layouts: Vec<Layout> =
            cells.iter().flat_map(|cell| cell.0.keys().copied()).collect();
        layouts.sort();
        layouts.dedup();
        let row = |(own, shares, seconds): &(BTreeMap<Layout, f64>, &Shares, f64)| {
            let of = |layout| own.get(layout).copied().unwrap_or(0.0);
            let rest = [shares.attention, shares.layers, shares.beside];
            let all = layouts.iter().map(of).chain(rest);
            all.map(|share| share / seconds).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = cells.iter().map(row).collect();
        let (costs, other) = solve(&rows, layouts.len())?;
        let at = layouts.len();
        Some(Costs {
            layouts: layouts.into_iter().zip(costs.iter().copied()).collect(),
            other,
            tiles,
            attention: costs[at],
            layers: costs[at + 1],
            beside: costs[at + 2],
        })
    }

    /// Of a test.
    pub(crate) fn seconds(&self, shares: &Shares) -> f64 {
        // What was never seen costs what the format's other layout does, else what all do on average.
        let cost = |layout: &Layout| {
            let turned = Layout { tiled: !layout.tiled, ..*layout };
            self.layouts.get(layout).or_else(|| self.layouts.get(&turned)).unwrap_or(&self.other)
        };
        let weights = shares.layouts(self.tiles);
        weights.iter().map(|(layout, share)| cost(layout) * share).sum::<f64>()
            + self.attention * shares.attention
            + self.layers * shares.layers
            + self.beside * shares.beside
    }
}

impl Shares {
    /// Of the weights; without `tiles` all matrices of a format count as one.
    fn layouts(&self, tiles: bool) -> BTreeMap<Layout, f64> {
        let mut all = BTreeMap::new();
        for (layout, share) in &self.layouts {
            *all.entry(Layout { tiled: layout.tiled && tiles, ..*layout }).or_insert(0.0) += share;
        }
        all
    }
}

/// Costs whose products with each row are nearest to 1, and the mean of the layouts'. The first `layouts` columns have it as their mean,
/// the next one is drawn to it, the others to 0. Coordinate descent: the problem is convex, and a cost stops at 0.
fn solve(rows: &[Vec<f64>], layouts: usize) -> Option<(Vec<f64>, f64)> {
    let columns = rows.first()?.len();
    let unit = rows.iter().flat_map(|row| &row[..layouts]).sum::<f64>() / rows.len() as f64;
    if !(unit.is_finite() && unit > 0.0) {
        return None;
    }
    // Sums over rows of products of two columns, and of each column.
    let products: Vec<Vec<f64>> = (0..columns)
        .map(|j| (0..columns).map(|k| rows.iter().map(|row| row[j] * row[k]).sum()).collect())
        .collect();
    let sums: Vec<f64> = (0..columns).map(|j| rows.iter().map(|row| row[j]).sum()).collect();
    let mut mean = 1.0 / unit;
    let mut costs: Vec<f64> = (0..columns).map(|j| if j <= layouts { mean } else { 0.0 }).collect();
    for _ in 0..MOST_SWEEPS {
        let mut moved = 0.0_f64;
        for j in 0..columns {
            let square = products[j][j];
            let (pull, target) = match j <= layouts {
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
        mean = costs[..layouts].iter().sum::<f64>() / layouts as f64;
        if moved < STEADY {
            break;
        }
    }
    Some((costs, mean))
}

#[cfg(test)]
mod tests {
    use yardstick_model::Format;

    use super::*;

    fn plain(format: Format) -> Layout {
        Layout { format, tiled: false }
    }

    fn shares(q4: f64, q8: f64, attention: f64, layers: f64) -> Shares {
        let all = [(plain(Format::Q4_0), q4), (plain(Format::Q8_0), q8)];
        let layouts = all.into_iter().filter(|layout| layout.1 > 0.0).collect();
        Shares { layouts, attention, layers, beside: 0.0 }
    }

    #[test]
    fn without_noise_the_costs_come_back() {
        let truth = |s: &Shares| {
            let of = |format| s.layouts.get(&plain(format)).unwrap_or(&0.0);
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
        let costs = Costs::learn(&cells, false).unwrap();
        for s in [shares(40.0, 0.0, 1.0, 800.0), shares(0.0, 0.5, 3.0, 30.0)] {
            let (found, expected) = (costs.seconds(&s), truth(&s));
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected} {costs:?}");
        }
    }

    #[test]
    fn a_format_never_seen_costs_what_the_others_do_on_average() {
        let cells = [(shares(1.0, 0.0, 0.0, 0.0), 2.0), (shares(0.0, 1.0, 0.0, 0.0), 4.0)];
        let costs = Costs::learn(&cells, false).unwrap();
        let unseen = Shares { layouts: [(plain(Format::Q6_K), 1.0)].into(), ..Shares::default() };
        assert!((costs.seconds(&unseen) - 3.0).abs() < 0.05);
    }

    #[test]
    fn nothing_is_learnt_of_nothing_and_no_cost_is_negative() {
        assert_eq!(Costs::learn(&[], false), None);
        // More layers took less time: noise, not a gift.
        let cells = [(shares(1.0, 0.0, 0.0, 10.0), 1.0), (shares(1.0, 0.0, 0.0, 20.0), 0.9)];
        assert_eq!(Costs::learn(&cells, false).unwrap().layers, 0.0);
    }

    #[test]
    fn tiled_matrices_cost_their_own_only_where_they_are_told_apart() {
        let tiled = Layout { tiled: true, ..plain(Format::Q8_0) };
        let of = |plainly: f64, tiles: f64| {
            let both = [(plain(Format::Q8_0), plainly), (tiled, tiles)];
            let layouts = both.into_iter().filter(|layout| layout.1 > 0.0).collect();
            (Shares { layouts, ..Shares::default() }, 10.0 * plainly + tiles)
        };
        let cells = [of(3.0, 10.0), of(2.0, 30.0), of(4.0, 3.0)];
        let asked = Shares { layouts: [(tiled, 1.0)].into(), ..Shares::default() };
        let apart = Costs::learn(&cells, true).unwrap();
        assert!((apart.seconds(&asked) - 1.0).abs() < 0.2, "{apart:?}");
        let together = Costs::learn(&cells, false).unwrap();
        assert!(together.seconds(&asked) > 2.0, "{together:?}");
        // A format whose tiles nobody saw costs what its other matrices do.
        let plainly = [of(3.0, 0.0), of(1.0, 0.0)];
        let costs = Costs::learn(&plainly, true).unwrap();
        assert!((costs.seconds(&asked) - 10.0).abs() < 0.2, "{costs:?}");
    }
}
