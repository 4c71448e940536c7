//! Ratios of rows: which baseline, paired or not, what is shown as a difference, and what holds for every input.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;

use build::{cell, launches};
use proptest::prelude::*;
use yardstick_analyse::{Choice, Comparison, Difference, DriftKind, Method, Ratio, Versus, View};
use yardstick_record::{Pairing, Record, Turn, Verification};

const MODEL: &str = "smollm-135m:Q4_0";

/// Launches of a device whose speed each launch says.
fn device(name: &'static str, n: u32, speed: impl Fn(u32) -> f64) -> Vec<Record> {
    launches(n, |launch| cell(name, MODEL, "tg8").launch(launch).speed(speed(launch), 5))
}

/// The same, having taken turns with the others of `members`.
fn paired(name: &'static str, members: &[&str], n: u32, speed: impl Fn(u32) -> f64) -> Vec<Record> {
    let pairing = Pairing {
        group: "tg8".into(),
        unit: Turn::Samples,
        members: members.iter().map(ToString::to_string).collect(),
    };
    let one = |launch| {
        let build = cell(name, MODEL, "tg8").launch(launch).speed(speed(launch), 5);
        build.with(|record| record.pairing = Some(pairing.clone()))
    };
    launches(n, one)
}

/// Devices in the order of the rows, with what each is held against.
fn held(comparison: &Comparison) -> Vec<(&str, &str, Choice)> {
    let ratios = comparison.ratios();
    ratios
        .map(|(_, row, versus)| (row.cell.device.as_str(), versus.against.as_str(), versus.choice))
        .collect()
}

fn only(comparison: &Comparison) -> Versus {
    let mut ratios = comparison.ratios();
    let (_, _, versus) = ratios.next().unwrap();
    assert!(ratios.next().is_none());
    versus.clone()
}

#[test]
fn devices_that_took_turns_are_compared_launch_by_launch() {
    // A machine that halves its speed half-way: the ratio stays 1.25, unpaired medians know nothing.
    let machine = |launch: u32| if launch < 3 { 100.0 } else { 50.0 };
    let members = ["cpu:a", "cpu:b"];
    let mut records = paired("cpu:a", &members, 6, machine);
    records.extend(paired("cpu:b", &members, 6, |l| 1.25 * machine(l)));
    let versus = only(&Comparison::of(&records));
    assert!(versus.ratio.paired && versus.ratio.n == 6, "{versus:?}");
    assert!((versus.ratio.median - 1.25).abs() < 1e-3, "{versus:?}");
    assert_eq!(
        (versus.difference, versus.ratio.method),
        (Difference::Shown, Method::OrderStatistics)
    );
    let apart: Vec<Record> =
        records.into_iter().map(|record| Record { pairing: None, ..record }.seal()).collect();
    let versus = only(&Comparison::of(&apart));
    assert!(!versus.ratio.paired && versus.ratio.method == Method::Bootstrap);
    assert_eq!(versus.difference, Difference::NotShown);
}

#[test]
fn launches_of_other_runs_and_groups_are_no_pairs() {
    let members = ["cpu:a", "cpu:b"];
    let mut records = paired("cpu:a", &members, 6, |_| 50.0);
    records.extend(paired("cpu:b", &members, 6, |_| 80.0).into_iter().map(|mut record| {
        record.run.id = "another".into();
        record.seal()
    }));
    assert!(!only(&Comparison::of(&records)).ratio.paired);
}

#[test]
fn of_several_baselines_the_one_with_the_same_options_counts() {
    let members = ["cpu:a", "cpu:b"];
    let with = |threads: usize, records: Vec<Record>| {
        records.into_iter().map(move |mut record| {
            record.cell.options.threads = Some(threads);
            record.seal()
        })
    };
    let mut records: Vec<Record> = Vec::new();
    for threads in [1, 2] {
        let speed = 50.0 * threads as f64;
        records.extend(with(threads, paired("cpu:a", &members, 5, |_| speed)));
        records.extend(with(threads, paired("cpu:b", &members, 5, |_| 1.5 * speed)));
    }
    // One that no baseline has the options of.
    records.extend(with(4, device("cpu:b", 5, |_| 120.0)));
    let view = View { baseline: Some("cpu:a".into()), ..View::default() };
    for (view, choice) in [(view, Choice::Asked), (View::default(), Choice::FirstNamed)] {
        let comparison = view.compare(&records);
        let mut found: Vec<(Option<usize>, f64, bool)> = comparison
            .ratios()
            .filter(|(_, row, _)| row.cell.device == "cpu:b")
            .map(|(_, row, versus)| {
                assert_eq!(versus.choice, choice);
                (row.cell.options.threads, versus.ratio.median, versus.ratio.paired)
            })
            .collect();
        found.sort_by_key(|row| row.0);
        let [one, two, four] = found[..] else { panic!("{found:?}") };
        for (row, threads) in [(one, 1), (two, 2)] {
            assert_eq!((row.0, row.2), (Some(threads), true), "{choice:?}: {row:?}");
            assert!((row.1 - 1.5).abs() < 1e-3, "{choice:?}: {row:?}");
        }
        assert!(four.0 == Some(4) && !four.2 && (four.1 - 1.2).abs() < 1e-2, "{four:?}");
    }
}

#[test]
fn the_baseline_is_the_one_asked_for_the_first_named_or_the_fastest() {
    let members = ["cpu:b", "cpu:a"];
    let mut records = paired("cpu:a", &members, 3, |_| 80.0);
    records.extend(paired("cpu:b", &members, 3, |_| 50.0));
    assert_eq!(held(&Comparison::of(&records)), [("cpu:a", "cpu:b", Choice::FirstNamed)]);
    let view = |name: &str| View { baseline: Some(name.into()), ..View::default() };
    for name in ["cpu:a", "cpu"] {
        let comparison = view(name).compare(&records);
        assert_eq!(held(&comparison), [("cpu:b", "cpu:a", Choice::Asked)], "{name}");
    }
    assert_eq!(view("wgpu:0").compare(&records).ratios().count(), 0);
    let mut apart = device("cpu:a", 3, |_| 80.0);
    apart.extend(device("cpu:b", 3, |_| 50.0));
    assert_eq!(held(&Comparison::of(&apart)), [("cpu:b", "cpu:a", Choice::Fastest)]);
}

#[test]
fn builds_are_told_apart_and_can_be_the_baseline() {
    let label = |records: Vec<Record>, label: &str| {
        let label = label.to_owned();
        records.into_iter().map(move |mut record| {
            record.cell.build = Some(label.clone());
            record.seal()
        })
    };
    let members = ["cpu:a base", "cpu:a candidate"];
    let records: Vec<Record> = label(paired("cpu:a", &members, 6, |_| 50.0), "base")
        .chain(label(paired("cpu:a", &members, 6, |_| 51.0), "candidate"))
        .collect();
    let comparison = Comparison::of(&records);
    assert_eq!(comparison.varying, ["build"]);
    assert_eq!(held(&comparison), [("cpu:a", "cpu:a base", Choice::FirstNamed)]);
    for name in ["candidate", "cpu:a candidate"] {
        let view = View { baseline: Some(name.into()), ..View::default() };
        assert_eq!(held(&view.compare(&records)), [("cpu:a", "cpu:a candidate", Choice::Asked)]);
    }
}

#[test]
fn faster_means_less_time() {
    let time = |name: &'static str, ms: f64| {
        launches(6, move |launch| cell(name, MODEL, "ttft").launch(launch).time(ms, 5))
    };
    let records = [time("cpu:a", 90.0), time("cpu:b", 45.0)].concat();
    let view = View { baseline: Some("cpu:a".into()), ..View::default() };
    let versus = only(&view.compare(&records));
    assert!((versus.ratio.median - 0.5).abs() < 1e-3 && (versus.speed().median - 2.0).abs() < 1e-2);
}

#[test]
fn what_is_not_ranked_is_held_against_nothing() {
    let unverified = |mut record: Record| {
        record.verification = Verification::skipped("unverified: no logits");
        record.seal()
    };
    let mut records = device("cpu:a", 6, |_| 50.0);
    records.extend(device("external:x", 6, |_| 90.0).into_iter().map(unverified));
    let comparison = Comparison::of(&records);
    assert_eq!(comparison.ratios().count(), 0);
    let reason = comparison.rows.iter().find_map(|row| row.not_ranked.clone());
    assert_eq!(reason.as_deref(), Some("unverified: no logits"));
}

#[test]
fn launches_that_fall_are_warned_of_and_pairs_that_fall_together_are_not() {
    let falling = |launch: u32| 100.0 - 4.0 * f64::from(launch);
    let jitter = |launch: u32| 0.3 * f64::from(launch * 5 % 7);
    let members = ["cpu:a", "cpu:b"];
    let mut records = paired("cpu:a", &members, 10, falling);
    records.extend(paired("cpu:b", &members, 10, |l| falling(l) * (1.5 + 0.01 * jitter(l))));
    let comparison = Comparison::of(&records);
    for row in &comparison.rows {
        assert_eq!(row.drift.map(|drift| drift.kind), Some(DriftKind::Falling));
    }
    assert_eq!(only(&comparison).drift, None);
}

#[test]
fn one_launch_is_no_difference() {
    let records = [device("cpu:a", 1, |_| 50.0), device("cpu:b", 1, |_| 90.0)].concat();
    let versus = only(&Comparison::of(&records));
    assert_eq!(versus.difference, Difference::NoInterval);
    assert!(versus.ratio.interval.reason().unwrap().contains("n too small: 1 launches of each"));
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.1f64..1e4, 1..16)
}

/// Equal up to rounding, interval and all.
fn alike(a: &Ratio, b: &Ratio) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-6 * x.abs().max(y.abs());
    let ends = match (a.interval.value(), b.interval.value()) {
        (Some(x), Some(y)) => near(x.low, y.low) && near(x.high, y.high),
        (None, None) => true,
        _ => false,
    };
    near(a.median, b.median) && ends && (a.n, a.method, a.paired) == (b.n, b.method, b.paired)
}

proptest! {
    #[test]
    fn a_to_b_is_one_over_b_to_a(a in values(), b in values()) {
        let pairs: Vec<(f64, f64)> = a.iter().copied().zip(b.iter().copied()).collect();
        let turned: Vec<(f64, f64)> = pairs.iter().map(|&(a, b)| (b, a)).collect();
        for (ab, ba) in [
            (Ratio::paired(&pairs).unwrap(), Ratio::paired(&turned).unwrap()),
            (Ratio::unpaired(&a, &b).unwrap(), Ratio::unpaired(&b, &a).unwrap()),
        ] {
            prop_assert!(alike(&ab, &ba.inverse()), "{ab:?} {ba:?}");
            prop_assert!(alike(&ab, &ab.inverse().inverse()));
        }
    }

    #[test]
    fn scaling_both_sides_changes_nothing_and_scaling_one_scales_the_ratio(
        a in values(), b in values(), factor in 0.01f64..100.0
    ) {
        let times = |v: &[f64]| -> Vec<f64> { v.iter().map(|x| x * factor).collect() };
        let plain = Ratio::unpaired(&a, &b).unwrap();
        prop_assert!(alike(&plain, &Ratio::unpaired(&times(&a), &times(&b)).unwrap()));
        let scaled = Ratio::unpaired(&times(&a), &b).unwrap();
        prop_assert!((scaled.median / factor / plain.median - 1.0).abs() < 1e-9);
        let zip = |a: &[f64], b: &[f64]| -> Vec<(f64, f64)> {
            a.iter().copied().zip(b.iter().copied()).collect()
        };
        let plain = Ratio::paired(&zip(&a, &b)).unwrap();
        prop_assert!(alike(&plain, &Ratio::paired(&zip(&times(&a), &times(&b))).unwrap()));
    }

    #[test]
    fn the_order_of_launches_changes_nothing(
        a in values(), b in values(), turn in 0usize..16
    ) {
        let rotated = |v: &[f64]| {
            let at = turn % v.len();
            [&v[at..], &v[..at]].concat()
        };
        let plain = Ratio::unpaired(&a, &b).unwrap();
        prop_assert!(alike(&plain, &Ratio::unpaired(&rotated(&a), &b).unwrap()));
        let mut pairs: Vec<(f64, f64)> = a.iter().copied().zip(b.iter().copied()).collect();
        let before = Ratio::paired(&pairs).unwrap();
        pairs.reverse();
        prop_assert!(alike(&before, &Ratio::paired(&pairs).unwrap()));
    }

    #[test]
    fn an_interval_holds_its_ratio(a in values(), b in values()) {
        let found = Ratio::unpaired(&a, &b).unwrap();
        if let Some(i) = found.interval.value() {
            prop_assert!(i.low <= found.median * (1.0 + 1e-9) && found.median <= i.high * (1.0 + 1e-9));
        }
    }

    #[test]
    fn no_values_break_it(
        a in prop::collection::vec(any::<f64>(), 0..12), b in prop::collection::vec(any::<f64>(), 0..12)
    ) {
        let pairs: Vec<(f64, f64)> = a.iter().copied().zip(b.iter().copied()).collect();
        for found in [Ratio::unpaired(&a, &b), Ratio::paired(&pairs)].into_iter().flatten() {
            if let Some(i) = found.interval.value() {
                prop_assert!(i.low > 0.0 && i.high.is_finite());
            }
        }
        yardstick_analyse::drift(&a);
        yardstick_analyse::noise_floor(&a, b.len());
    }

    #[test]
    fn the_order_of_records_changes_no_ratio(seed in 0usize..50) {
        let members = ["cpu:a", "cpu:b"];
        let mut records = paired("cpu:a", &members, 5, |l| 50.0 + f64::from(l * 3 % 5));
        records.extend(paired("cpu:b", &members, 5, |l| 60.0 + f64::from(l * 2 % 5)));
        records.extend(device("cpu:c", 4, |l| 70.0 - f64::from(l)));
        let ratios = |records: &[Record]| -> Vec<Versus> {
            Comparison::of(records).ratios().map(|(_, _, versus)| versus.clone()).collect()
        };
        let before = ratios(&records);
        let n = records.len();
        records.rotate_left(seed % n);
        records.swap(seed % n, (seed * 7 + 3) % n);
        prop_assert_eq!(before, ratios(&records));
    }
}

#[test]
fn hostile_samples_cost_their_launch_and_no_more() {
    let mut records = device("cpu:a", 6, |_| 50.0);
    records.extend(device("cpu:b", 6, |_| 90.0));
    let broken: [fn(&mut Record); 4] = [
        |r| r.samples.iter_mut().for_each(|s| s.nanoseconds = 0),
        |r| r.samples.iter_mut().for_each(|s| s.nanoseconds = u64::MAX),
        |r| r.samples.iter_mut().for_each(|s| s.tokens = 0),
        |r| r.samples.clear(),
    ];
    for (at, change) in broken.into_iter().enumerate() {
        change(&mut records[at]);
        records[at].id = records[at].content_id();
    }
    let versus = only(&Comparison::of(&records));
    assert!(versus.ratio.median.is_finite() && versus.ratio.n <= 3, "{versus:?}");
}

#[test]
fn a_model_as_the_baseline_is_compared_launch_by_launch_on_each_device() {
    let of = |name: &'static str, model: &'static str, factor: f64| {
        let machine = |launch: u32| if launch < 3 { 100.0 } else { 50.0 };
        launches(6, |launch| {
            cell(name, model, "tg8").launch(launch).speed(factor * machine(launch), 5)
        })
    };
    let other = "smollm-135m:Q8_0";
    let mut records = of("cpu:a", MODEL, 1.0);
    records.extend(of("cpu:a", other, 0.8));
    records.extend(of("cpu:b", other, 0.5));
    let view = View { baseline: Some(MODEL.to_owned()), ..View::default() };
    let versus = only(&view.compare(&records));
    assert!(versus.ratio.paired && versus.ratio.n == 6, "{versus:?}");
    assert!((versus.ratio.median - 0.8).abs() < 1e-3, "{versus:?}");
    assert_eq!((versus.difference, versus.choice), (Difference::Shown, Choice::Asked));
    // Launches that another run measured are no pair.
    let mut apart = of("cpu:a", MODEL, 1.0);
    for record in &mut apart {
        record.run.id = "another".into();
        record.id = record.content_id();
    }
    apart.extend(of("cpu:a", other, 0.8));
    assert!(!only(&view.compare(&apart)).ratio.paired);
}
