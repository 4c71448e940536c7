//! Drift: whether launches in the order of time follow each other, which every interval over launches takes for not so.

use serde::Serialize;

use crate::interval::t_central;

/// Fewest launches whose order can tell anything: any order of four comes by chance once in 24.
pub const LEAST_ORDERED_LAUNCHES: usize = 5;

/// Chance of an alarm where there is nothing, shared by the two tests.
const FALSE_ALARMS: f64 = 0.05;

/// Launches depend on when they ran.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// What their order shows.
    pub kind: DriftKind,
    /// Probability of an order at least as striking, were the launches exchangeable.
    pub p: f64,
    /// Launches looked at.
    pub n: usize,
}

/// What the order of launches shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// They rise.
    Rising,
    /// They fall.
    Falling,
    /// Neighbours are alike.
    Autocorrelated,
}

impl Drift {
    /// For people: what was seen and what follows.
    pub fn describe(&self) -> String {
        let seen = match self.kind {
            DriftKind::Rising => "values rise from launch to launch (Mann-Kendall",
            DriftKind::Falling => "values fall from launch to launch (Mann-Kendall",
            DriftKind::Autocorrelated => "neighbouring launches are alike (rank von Neumann",
        };
        format!(
            "drift: {seen}, p = {:.1e}, {} launches); the interval takes launches for exchangeable and may miss the truth",
            self.p, self.n
        )
    }
}

/// Looks for drift in values in the order of time; `None` where none shows or there are too few to show any.
///
/// Two tests share the false alarms: Mann and Kendall's for a trend, exact where no values are equal, and Bartels' rank von
/// Neumann ratio for neighbours alike. How often both are right and wrong is in reports/README.md.
///
/// Sources: Kendall, Rank Correlation Methods (1975); Bartels, JASA 77 (1982), 40-46.
pub fn drift(values: &[f64]) -> Option<Drift> {
    let values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let n = values.len();
    let level = FALSE_ALARMS / 2.0;
    if n < LEAST_ORDERED_LAUNCHES {
        return None;
    }
    let (rises, p) = trend(&values);
    if p <= level {
        let kind = if rises > 0 { DriftKind::Rising } else { DriftKind::Falling };
        return Some(Drift { kind, p, n });
    }
    let p = alike(&values);
    (p <= level).then_some(Drift { kind: DriftKind::Autocorrelated, p, n })
}

/// More launches than this: the trend's exact distribution takes long, and its normal limit is as good.
const MANY: usize = 100;

/// Pairs that rise less pairs that fall, and the probability of so many of either, two-sided.
fn trend(values: &[f64]) -> (i64, f64) {
    let n = values.len();
    let sign = |a: f64, b: f64| i64::from(b > a) - i64::from(b < a);
    let rises: i64 = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| sign(values[i], values[j]))
        .sum();
    if n > MANY {
        let n = n as f64;
        let spread = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let z = (rises.abs() as f64 - 1.0).max(0.0) / spread;
        return (rises, 1.0 - t_central(2 * values.len(), z));
    }
    let most = (n * (n - 1) / 2) as i64;
    // As many inversions or fewer as there are falling pairs, in the rarer direction.
    let inversions = ((most - rises.abs()) / 2) as usize;
    (rises, (2.0 * inversions_at_most(n, inversions)).min(1.0))
}

/// P(a random order of n has at most k inversions). An order of n has as many as one of n - 1 and 0 ..= n - 1 more.
fn inversions_at_most(n: usize, k: usize) -> f64 {
    let mut mass = vec![0.0; k + 1];
    mass[0] = 1.0;
    for size in 2..=n {
        let mut sum = 0.0;
        let mut next = vec![0.0; k + 1];
        for at in 0..=k {
            sum += mass[at];
            if at >= size {
                sum -= mass[at - size];
            }
            next[at] = sum / size as f64;
        }
        mass = next;
    }
    mass.iter().sum::<f64>().clamp(0.0, 1.0)
}

/// Probability of neighbours at least as alike, one-sided: a quarter of the rank von Neumann ratio is nearly Beta(a, a).
/// Against every order of 5 to 8 and 100,000 of more, the nominal 2.5 % is 1.7 to 2.7 %.
fn alike(values: &[f64]) -> f64 {
    let ranks = ranks(values);
    let n = ranks.len() as f64;
    let steps: f64 = ranks.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
    let spread: f64 = ranks.iter().map(|rank| (rank - (n - 1.0) / 2.0).powi(2)).sum();
    if spread == 0.0 {
        return 1.0;
    }
    let shape = 5.0 * n * (n + 1.0) * (n - 1.0).powi(2)
        / (2.0 * (n - 2.0) * (5.0 * n * n - 2.0 * n - 9.0))
        - 0.5;
    beta_below(shape, steps / spread / 4.0)
}

/// P(X <= x) for Beta(a, a), a > 1, by Simpson's rule below one half; 1 from there on, where nobody looks.
fn beta_below(a: f64, x: f64) -> f64 {
    const PANELS: i32 = 200;
    // Relative to the middle, so that a large a underflows only where there is nothing.
    let density = |u: f64| (4.0 * u * (1.0 - u)).powf(a - 1.0);
    let area = |to: f64| {
        let step = to / f64::from(PANELS);
        let weight = |i: i32| if i == 0 || i == PANELS { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let sum: f64 = (0..=PANELS).map(|i| weight(i) * density(f64::from(i) * step)).sum();
        sum * step / 3.0
    };
    if x >= 0.5 { 1.0 } else { area(x.max(0.0)) / (2.0 * area(0.5)) }
}

/// Ranks from 0, the mean of them where values are equal.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |v: &f64| {
        let below = values.iter().filter(|other| *other < v).count();
        let same = values.iter().filter(|other| *other == v).count();
        below as f64 + (same as f64 - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &[f64]) -> Option<DriftKind> {
        drift(values).map(|drift| drift.kind)
    }

    #[test]
    fn trends_and_neighbours_are_told_apart() {
        let waves: Vec<f64> = (0..24).map(|i| (f64::from(i) / 3.0).sin()).collect();
        for (values, expected) in [
            ((0..8).map(f64::from).collect(), Some(DriftKind::Rising)),
            ((0..8).map(|i| -f64::from(i)).collect(), Some(DriftKind::Falling)),
            (waves, Some(DriftKind::Autocorrelated)),
            (vec![5.0; 12], None),
            (vec![1.0, 2.0, 3.0, 4.0], None),
            (vec![f64::NAN; 30], None),
            (vec![3.0, 1.0, 4.0, 1.5, 5.0, 2.0], None),
        ] {
            assert_eq!(kind(&values), expected, "{values:?}");
        }
    }

    #[test]
    fn probabilities_match_printed_tables() {
        // Kendall (1975), table 1: n = 6, S = 13: 0.0083 one-sided; n = 10, S = 23: 0.0233 one-sided.
        assert!((inversions_at_most(6, 1) - 0.008_33).abs() < 1e-5);
        assert!((inversions_at_most(10, 11) - 0.023_3).abs() < 1e-4);
        // Beta(2, 2) below x is 3 x^2 - 2 x^3.
        assert!((beta_below(2.0, 0.3) - 0.216).abs() < 1e-9);
    }

    #[test]
    fn thousands_of_launches_take_no_time() {
        let many: Vec<f64> = (0..3000).map(|i| f64::from(i * 7919 % 3001)).collect();
        assert!(drift(&many).is_none_or(|drift| drift.p <= 0.025));
        assert_eq!(kind(&(0..3000).map(f64::from).collect::<Vec<_>>()), Some(DriftKind::Rising));
    }
}
