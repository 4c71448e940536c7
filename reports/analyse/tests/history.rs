//! History finds what stayed changed, and nothing where nothing did.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;
mod synthetic;

use build::cell;
use synthetic::Random;
use yardstick_analyse::{Brief, history};

/// A run a day of one cell at these speeds, two launches each.
fn runs(speeds: &[f64]) -> Vec<Brief> {
    let launch = |(day, speed): (usize, &f64), launch: u32| {
        let record =
            cell("cpu:avx2", "tiny:Q4_0", "tg8").launch(launch).speed(*speed, 5).with(|record| {
                record.run.id = format!("run{day:03}");
                record.started = format!("2026-{:02}-{:02}T00:00:00Z", 1 + day / 28, 1 + day % 28);
            });
        Brief::of(&record.done())
    };
    let both = |day| [launch(day, 0), launch(day, 1)];
    speeds.iter().enumerate().flat_map(both).collect()
}

fn noisy(random: &mut Random, n: usize, speed: f64) -> Vec<f64> {
    (0..n).map(|_| speed * (0.01 * random.normal()).exp()).collect()
}

#[test]
fn changes_that_stayed_are_dated_and_sized() {
    let mut random = Random(5);
    let mut speeds = noisy(&mut random, 12, 50.0);
    speeds.extend(noisy(&mut random, 10, 45.0));
    speeds.extend(noisy(&mut random, 9, 60.0));
    let found = history(&runs(&speeds));
    let told: Vec<_> = found.iter().map(|c| (c.run.as_str(), c.before, c.after)).collect();
    assert_eq!(told, [("run022", 10, 9), ("run012", 12, 10)]);
    assert!((found[1].speed - 0.9).abs() < 0.02 && found[0].speed > 1.25, "{found:?}");
}

#[test]
fn noise_outliers_and_small_changes_are_no_change() {
    let mut random = Random(6);
    let false_ones: usize =
        (0..200).map(|_| history(&runs(&noisy(&mut random, 30, 50.0))).len()).sum();
    assert!(false_ones <= 1, "{false_ones}");
    let mut outlier = noisy(&mut random, 20, 50.0);
    outlier[9] = 20.0;
    assert!(history(&runs(&outlier)).is_empty());
    let small: Vec<f64> = (0..20).map(|i| if i < 10 { 50.0 } else { 50.5 }).collect();
    assert!(history(&runs(&small)).is_empty());
    assert!(history(&runs(&[50.0, 50.0, 50.0, 20.0, 20.0, 20.0])).is_empty(), "too few");
    assert!(history(&[]).is_empty());
}

#[test]
fn machines_and_models_have_histories_of_their_own() {
    let mut briefs = runs(&[50.0; 10]);
    let mut others = runs(&[30.0; 20]).split_off(20);
    for brief in &mut others {
        brief.machine = "another".to_owned();
    }
    briefs.extend(others);
    assert!(history(&briefs).is_empty());
}
