//! Intervals do what they promise: on synthetic data they cover the truth as often as they say, whatever the distribution.

mod synthetic;

use proptest::prelude::*;
use synthetic::{GENERATORS, Random, sorted};
use yardstick_analyse::{
    Ratio, drift, estimate, median, median_interval, quantile_interval, t_interval,
};

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

/// Trials of each generator and n: the issue asks for 2,000. Debug builds carry as many.
const REPETITIONS: usize = 2000;
/// The least coverage of a nominal 95 % that is accepted for launches that are exchangeable.
const LEAST_COVERAGE: f64 = 0.93;

/// Share of intervals over `n` launches that hold the truth.
fn share(n: usize, mut holds: impl FnMut(&mut Random) -> bool) -> f64 {
    let mut random = Random(1000 * n as u64 + 7);
    let hits = (0..REPETITIONS).filter(|_| holds(&mut random)).count();
    hits as f64 / REPETITIONS as f64
}

fn holds(ratio: &Ratio, truth: f64) -> bool {
    ratio.interval.value().is_some_and(|i| i.low <= truth && truth <= i.high)
}

#[test]
fn paired_ratios_of_exchangeable_launches_cover_at_least_93_percent() {
    for generator in GENERATORS.iter().filter(|generator| generator.exchangeable) {
        for n in [6, 10, 24] {
            let covered = share(n, |random| {
                let logs = (generator.draw)(random, n);
                let pairs: Vec<(f64, f64)> =
                    logs.iter().map(|d| (1.3 * (0.01 * d).exp(), 1.0)).collect();
                holds(&Ratio::paired(&pairs).unwrap(), 1.3)
            });
            assert!(covered >= LEAST_COVERAGE, "{}, n = {n}: {covered}", generator.name);
        }
    }
}

#[test]
fn medians_of_exchangeable_launches_cover_at_least_93_percent() {
    for generator in GENERATORS.iter().filter(|generator| generator.exchangeable) {
        for n in [6, 10, 24] {
            let covered = share(n, |random| {
                let logs = (generator.draw)(random, n);
                let launches: Vec<Vec<f64>> = logs.iter().map(|d| vec![100.0 + d]).collect();
                let found = estimate(&launches).unwrap();
                found.interval.value().is_some_and(|i| i.low <= 100.0 && 100.0 <= i.high)
            });
            assert!(covered >= LEAST_COVERAGE, "{}, n = {n}: {covered}", generator.name);
        }
    }
}

#[test]
fn unpaired_ratios_of_exchangeable_launches_cover_at_least_93_percent() {
    let kinds: Vec<_> = GENERATORS.iter().filter(|generator| generator.exchangeable).collect();
    for (i, a) in kinds.iter().enumerate() {
        // Every generator against itself, and against the next: sides need not be alike.
        let next = &kinds[(i + 1) % kinds.len()];
        for (b, n, m) in [(a, 6, 6), (next, 3, 3), (next, 4, 10), (next, 6, 6), (next, 10, 10)] {
            // Where 3 or 4 launches may all land in one of two modes of equal weight, nothing they say can be right.
            let even = [a, b].iter().any(|side| side.name.contains("50:50"));
            if !(even && n < 5) {
                let covered = share(n, |random| {
                    let values = |logs: Vec<f64>, scale: f64| -> Vec<f64> {
                        logs.iter().map(|d| scale * (0.01 * d).exp()).collect()
                    };
                    let (a, b) = ((a.draw)(random, n), (b.draw)(random, m));
                    holds(&Ratio::unpaired(&values(a, 2.6), &values(b, 2.0)).unwrap(), 1.3)
                });
                assert!(covered >= LEAST_COVERAGE, "{} / {}, {n}, {m}: {covered}", a.name, b.name);
            }
        }
    }
}

#[test]
fn drift_is_seldom_seen_where_there_is_none_and_mostly_where_it_is_strong() {
    let seen = |name: &str, n: usize| {
        let generator = GENERATORS.iter().find(|generator| generator.name == name).unwrap();
        share(n, |random| drift(&(generator.draw)(random, n)).is_some())
    };
    for generator in GENERATORS.iter().filter(|generator| generator.exchangeable) {
        for n in [5, 6, 10, 24] {
            // 5 % is promised; three standard errors of 2,000 trials are 1.5 %.
            let alarms = seen(generator.name, n);
            assert!(alarms <= 0.065, "{}, n = {n}: {alarms}", generator.name);
        }
    }
    for (name, n, least) in [
        ("drift, 4 in all", 6, 0.30),
        ("drift, 4 in all", 10, 0.70),
        ("drift, 4 in all", 24, 0.98),
        ("AR(1), 0.7", 10, 0.30),
        ("AR(1), 0.7", 24, 0.80),
        ("step of 4, somewhere", 24, 0.68),
    ] {
        let found = seen(name, n);
        assert!(found >= least, "{name}, n = {n}: {found}");
    }
}

#[test]
fn drift_and_autocorrelation_break_the_promise_and_this_is_why_they_are_warned_of() {
    for name in ["AR(1), 0.7", "drift, 4 in all", "step of 4, somewhere"] {
        let generator = GENERATORS.iter().find(|generator| generator.name == name).unwrap();
        let covered = share(10, |random| {
            let found = median_interval(&sorted((generator.draw)(random, 10)), 0.95).unwrap();
            found.low <= 0.0 && 0.0 <= found.high
        });
        assert!(covered < LEAST_COVERAGE, "{name}: {covered}");
    }
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
