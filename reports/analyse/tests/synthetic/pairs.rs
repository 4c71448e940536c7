//! Intervals that were tried for the difference of two sides measured apart; each takes both sides sorted.

use yardstick_analyse::{Interval, median, median_interval, t_interval};

use super::candidates::Bounds;
use super::{Random, sorted};

/// A way to an interval of the difference of two medians.
pub struct Candidate {
    pub name: &'static str,
    pub interval: fn(&[f64], &[f64], &mut Random) -> Option<Bounds>,
}

/// Every way tried.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "recovered from both sides' order statistics",
        interval: |a, b, _| mover(a, b),
    },
    Candidate { name: "Welch's t", interval: |a, b, _| welch(a, b) },
    Candidate { name: "Mann-Whitney (Hodges-Lehmann)", interval: |a, b, _| shift(a, b) },
    Candidate { name: "bootstrap of the medians, percentile", interval: percentile },
];

fn one(v: &[f64]) -> Option<Interval> {
    median_interval(v, 0.95).or_else(|| t_interval(v, 0.95))
}

fn mover(a: &[f64], b: &[f64]) -> Option<Bounds> {
    let (ia, ib) = (one(a)?, one(b)?);
    let (ma, mb) = (median(a)?, median(b)?);
    Some((ma - mb - (ma - ia.low).hypot(ib.high - mb), ma - mb + (ia.high - ma).hypot(mb - ib.low)))
}

fn mean_and_error(v: &[f64]) -> (f64, f64) {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n)
}

fn welch(a: &[f64], b: &[f64]) -> Option<Bounds> {
    let ((ma, va), (mb, vb)) = (mean_and_error(a), mean_and_error(b));
    let (na, nb) = (a.len() as f64 - 1.0, b.len() as f64 - 1.0);
    let freedom = (va + vb).powi(2) / (va * va / na + vb * vb / nb);
    // A list of that many whole degrees of freedom whose mean is 0 and whose t interval is t.
    let n = freedom.floor().max(1.0) as usize + 1;
    let mut unit = vec![0.0; n];
    (unit[0], unit[1]) = (1.0, -1.0);
    let t = t_interval(&unit, 0.95)?.high / (2.0 / (n as f64 - 1.0) / n as f64).sqrt();
    let half = t * (va + vb).sqrt();
    Some((ma - mb - half, ma - mb + half))
}

fn shift(a: &[f64], b: &[f64]) -> Option<Bounds> {
    let all = sorted(a.iter().flat_map(|x| b.iter().map(move |y| x - y)).collect());
    // P(U <= k) by counting.
    let (m, n) = (a.len(), b.len());
    let mut ways = vec![vec![0.0; m * n + 1]; m + 1];
    ways[0][0] = 1.0;
    for i in 1..=m + n {
        for taken in (1..=m.min(i)).rev() {
            // The i-th smallest is of `a`: it exceeds i - taken of `b`.
            let above = i - taken;
            if above > n {
                continue;
            }
            for u in (above..=m * n).rev() {
                ways[taken][u] += ways[taken - 1][u - above];
            }
        }
    }
    let total: f64 = ways[m].iter().sum();
    let mut below = 0.0;
    let k = ways[m]
        .iter()
        .take_while(|&&w| {
            below += w;
            below <= 0.025 * total
        })
        .count();
    (k > 0).then(|| (all[k - 1], all[all.len() - k]))
}

fn percentile(a: &[f64], b: &[f64], random: &mut Random) -> Option<Bounds> {
    let again = |v: &[f64], random: &mut Random| {
        median(&sorted((0..v.len()).map(|_| v[random.below(v.len())]).collect())).unwrap()
    };
    let found = sorted((0..1000).map(|_| again(a, random) - again(b, random)).collect());
    Some((found[24], found[975]))
}
