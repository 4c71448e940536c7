//! Intervals that were tried for launches, the chosen one among them; each takes sorted values.

use yardstick_analyse::{binomial_cdf, median, median_interval, t_interval};

use super::{Random, sorted};

pub type Bounds = (f64, f64);

/// A way to an interval.
pub struct Candidate {
    pub name: &'static str,
    pub interval: fn(&[f64], &mut Random) -> Option<Bounds>,
}

/// Every way tried.
pub const CANDIDATES: &[Candidate] = &[
    Candidate { name: "order statistics", interval: |v, _| bounds(median_interval(v, 0.95)) },
    Candidate { name: "interpolated order statistics", interval: |v, _| interpolated(v) },
    Candidate { name: "Student's t", interval: |v, _| bounds(t_interval(v, 0.95)) },
    Candidate { name: "Wilcoxon (Hodges-Lehmann)", interval: |v, _| wilcoxon(v) },
    Candidate { name: "bootstrap of the median, percentile", interval: percentile },
    Candidate { name: "bootstrap of the mean, BCa", interval: bca },
];

fn bounds(interval: Option<yardstick_analyse::Interval>) -> Option<Bounds> {
    interval.map(|found| (found.low, found.high))
}

/// Two neighbouring pairs of ranks, mixed to 95 %. Source: Hettmansperger and Sheather (1986), Statistics & Probability Letters 4.
fn interpolated(v: &[f64]) -> Option<Bounds> {
    let n = v.len();
    let cdf = binomial_cdf(n, 0.5);
    // Confidence of ranks d and n + 1 - d, d from 1.
    let confidence = |d: usize| 1.0 - 2.0 * cdf[d - 1];
    let d = (1..=n / 2).rev().find(|&d| confidence(d) >= 0.95)?;
    let share = (confidence(d) - 0.95) / (confidence(d) - confidence(d + 1));
    let (n, rank) = (n as f64, d as f64);
    let mix = (n - rank) * share / (rank + (n - 2.0 * rank) * share);
    let at = |outer: f64, inner: f64| (1.0 - mix) * outer + mix * inner;
    Some((at(v[d - 1], v[d]), at(v[v.len() - d], v[v.len() - d - 1])))
}

/// Ranks of the Walsh averages; takes the distribution for symmetric. Source: Hollander and Wolfe (1999), section 3.3.
fn wilcoxon(v: &[f64]) -> Option<Bounds> {
    let n = v.len();
    let walsh = sorted(
        (0..n)
            .flat_map(|i| (i..n).map(move |j| (i, j)))
            .map(|(i, j)| v[i].midpoint(v[j]))
            .collect(),
    );
    let rank = signed_rank(n)?;
    Some((walsh[rank - 1], walsh[walsh.len() - rank]))
}

/// The largest k with P(W < k) <= 2.5 %, by counting the subsets of 1 ..= n of each sum.
fn signed_rank(n: usize) -> Option<usize> {
    let mut ways = vec![0.0; n * (n + 1) / 2 + 1];
    ways[0] = 1.0;
    for value in 1..=n {
        for sum in (value..ways.len()).rev() {
            ways[sum] += ways[sum - value];
        }
    }
    let mut below = 0.0;
    let k = ways.iter().take_while(|&&w| {
        below += w;
        below <= 0.025 * 2f64.powi(n as i32)
    });
    Some(k.count()).filter(|&k| k > 0)
}

const RESAMPLES: usize = 1000;

fn resampled(v: &[f64], random: &mut Random, of: fn(&[f64]) -> f64) -> Vec<f64> {
    let again = |random: &mut Random| {
        let draw = sorted((0..v.len()).map(|_| v[random.below(v.len())]).collect());
        of(&draw)
    };
    sorted((0..RESAMPLES).map(|_| again(random)).collect())
}

fn percentile(v: &[f64], random: &mut Random) -> Option<Bounds> {
    let found = resampled(v, random, |v| median(v).unwrap());
    Some((found[RESAMPLES / 40 - 1], found[RESAMPLES - RESAMPLES / 40]))
}

/// Bias-corrected and accelerated. Source: Efron (1987), JASA 82.
fn bca(v: &[f64], random: &mut Random) -> Option<Bounds> {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let found = resampled(v, random, mean);
    let centre = mean(v);
    let below = found.iter().filter(|&&m| m < centre).count() as f64 / RESAMPLES as f64;
    let bias = normal_quantile(below.clamp(0.001, 0.999));
    let gaps: Vec<f64> = v.iter().map(|x| (x - centre) / (v.len() - 1) as f64).collect();
    let (cubes, squares): (f64, f64) =
        (gaps.iter().map(|g| g.powi(3)).sum(), gaps.iter().map(|g| g * g).sum());
    let skew = cubes / (6.0 * squares.powf(1.5));
    let at = |z: f64| {
        let p = normal_cdf(bias + (bias + z) / (1.0 - skew * (bias + z)));
        found[((p * RESAMPLES as f64) as usize).min(RESAMPLES - 1)]
    };
    Some((at(-1.959_964), at(1.959_964)))
}

fn normal_cdf(z: f64) -> f64 {
    // Zelen and Severo, Abramowitz and Stegun 26.2.17; off by 7.5e-8 at most.
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * series;
    if z < 0.0 { tail } else { 1.0 - tail }
}

fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    low
}
