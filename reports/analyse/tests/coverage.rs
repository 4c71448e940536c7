//! Intervals do what they promise: on synthetic data they cover the truth as often as they say, whatever the distribution.

use proptest::prelude::*;
use yardstick_analyse::{estimate, median, median_interval, quantile_interval, t_interval};

/// A small generator, so that trials are the same on every machine.
struct Random(u64);

impl Random {
    /// Uniform in (0, 1): SplitMix64 (Steele, Lea, Flood 2014).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + 1e-17
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

const TRIALS: usize = 4000;

/// Share of trials whose interval holds the truth, and the mean confidence the intervals claimed.
fn coverage(
    truth: f64,
    mut interval: impl FnMut(&mut Random) -> yardstick_analyse::Interval,
) -> (f64, f64) {
    let mut random = Random(42);
    let (mut hits, mut claimed) = (0, 0.0);
    for _ in 0..TRIALS {
        let found = interval(&mut random);
        hits += usize::from((found.low..=found.high).contains(&truth));
        claimed += found.confidence;
    }
    (hits as f64 / TRIALS as f64, claimed / TRIALS as f64)
}

/// Three standard errors of a share near 0.95 over the trials.
const TOLERANCE: f64 = 0.0105;

#[test]
fn order_statistics_cover_the_median_of_any_distribution_as_often_as_they_say() {
    type Draw = fn(&mut Random) -> f64;
    let heavy: Draw = |r| (std::f64::consts::PI * (r.uniform() - 0.5)).tan();
    let skewed: Draw = |r| -r.uniform().ln() - std::f64::consts::LN_2;
    let bimodal: Draw = |r| if r.uniform() < 0.5 { -1.0 - r.uniform() } else { 1.0 + r.uniform() };
    for draw in [heavy, skewed, bimodal] {
        for n in [6, 10, 25, 100] {
            let (covered, claimed) = coverage(0.0, |random| {
                let values = sorted((0..n).map(|_| draw(random)).collect());
                median_interval(&values, 0.95).unwrap()
            });
            assert!(claimed >= 0.95);
            assert!((covered - claimed).abs() < TOLERANCE, "n = {n}: {covered} for {claimed}");
        }
    }
}

#[test]
fn order_statistics_cover_the_99th_percentile_as_often_as_they_say() {
    let truth = -(0.01_f64).ln();
    let (covered, claimed) = coverage(truth, |random| {
        let values = sorted((0..600).map(|_| -random.uniform().ln()).collect());
        quantile_interval(&values, 0.99, 0.95).unwrap()
    });
    assert!(claimed >= 0.95 && (covered - claimed).abs() < TOLERANCE, "{covered} for {claimed}");
}

#[test]
fn students_interval_covers_the_mean_of_few_launches() {
    for n in [3, 4, 5] {
        let (covered, _) = coverage(0.0, |random| {
            let values: Vec<f64> = (0..n).map(|_| random.normal()).collect();
            t_interval(&values, 0.95).unwrap()
        });
        assert!((covered - 0.95).abs() < TOLERANCE, "n = {n}: {covered}");
    }
}

#[test]
fn samples_of_one_launch_do_not_speak_for_the_next() {
    // Launches differ by 2 %, samples of one by 0.5 %: the interval within a launch misses the truth most of the time,
    // the one over launches does not. This is why the two are never shown as the same thing.
    let launch = |random: &mut Random| {
        let centre = 100.0 + 2.0 * random.normal();
        (0..20).map(|_| centre + 0.5 * random.normal()).collect::<Vec<f64>>()
    };
    let interval =
        |launches: Vec<Vec<f64>>| *estimate(&launches).unwrap().interval.value().unwrap();
    let (within, _) = coverage(100.0, |random| interval(vec![launch(random)]));
    let (over, _) = coverage(100.0, |random| interval((0..5).map(|_| launch(random)).collect()));
    assert!(within < 0.3, "{within}");
    assert!((over - 0.95).abs() < TOLERANCE, "{over}");
}

proptest! {
    #[test]
    fn an_interval_holds_the_median_it_belongs_to(
        launches in prop::collection::vec(prop::collection::vec(-1e9f64..1e9, 1..40), 1..12)
    ) {
        let found = estimate(&launches).unwrap();
        if let Some(interval) = found.interval.value() {
            prop_assert!(interval.low <= interval.high);
            let slack = 1e-9 * (1.0 + found.median.abs());
            prop_assert!(interval.low <= found.median + slack && found.median <= interval.high + slack);
            prop_assert!(interval.confidence >= 0.95 - 1e-12);
        } else {
            prop_assert!(found.interval.reason().unwrap().starts_with("n too small"));
        }
    }

    #[test]
    fn order_statistics_are_values_of_the_sample_and_widen_with_confidence(
        values in prop::collection::vec(-1e6f64..1e6, 20..200)
    ) {
        let values = sorted(values);
        let (narrow, wide) =
            (median_interval(&values, 0.8).unwrap(), median_interval(&values, 0.99).unwrap());
        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        prop_assert!(values.contains(&narrow.low) && values.contains(&wide.high));
        let middle = median(&values).unwrap();
        prop_assert!(narrow.low <= middle && middle <= narrow.high);
    }

    #[test]
    fn scaling_the_values_scales_the_estimate(
        values in prop::collection::vec(0.1f64..1e3, 6..60), factor in 0.5f64..4.0
    ) {
        let scaled: Vec<f64> = values.iter().map(|v| v * factor).collect();
        let (a, b) = (estimate(&[values]).unwrap(), estimate(&[scaled]).unwrap());
        prop_assert!((a.median * factor - b.median).abs() <= 1e-9 * b.median.abs());
    }

    #[test]
    fn no_values_break_it(
        launches in prop::collection::vec(prop::collection::vec(any::<f64>(), 0..20), 0..8)
    ) {
        if let Some(found) = estimate(&launches) {
            prop_assert!(found.median.is_finite());
            if let Some(interval) = found.interval.value() {
                prop_assert!(interval.low.is_finite() && interval.high.is_finite());
            }
        }
    }
}
