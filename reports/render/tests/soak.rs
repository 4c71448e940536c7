//! Soaks and metered rows as people see them: the page with its curves, the terminal, CSV.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use build::{cell, sample};
use yardstick_analyse::Comparison;
use yardstick_api::Known;
use yardstick_record::{Precision, Reading, Record, Soak, Track};
use yardstick_render::{Meta, csv, html, json, terminal};

/// Ten minutes: 50 tokens/s that fall to 31 from the second minute on, as the board becomes hot; then a rest.
fn soaked(device: &str, hot: f64) -> Record {
    let speed = |at: f64| 50.0 - (50.0 - hot) * ((at - 110.0) / 60.0).clamp(0.0, 1.0);
    let wobble = |index: usize| 1.0 + 0.01 * ((index * 7 % 5) as f64 - 2.0);
    let track = |name: &str, unit: &str, value: &dyn Fn(f64) -> f64| Track {
        name: name.to_owned(),
        unit: unit.to_owned(),
        points: (0..120).map(|n| f64::from(n) * 5.0 + 2.5).map(|at| (at, value(at))).collect(),
    };
    cell(device, "smollm-135m:Q4_0", "tg32")
        .with(|record| {
            let mut at = 0.0;
            while at < 600.0 {
                let seconds = 32.0 / speed(at) * wobble(record.samples.len());
                let mut sample = sample(32, (seconds * 1e9) as u64, 32);
                sample.started_ns = (at * 1e9) as u64;
                record.samples.push(sample);
                at += seconds;
            }
            let mut last = sample(32, 680_000_000, 32);
            last.started_ns = 665_000_000_000;
            record.samples.push(last);
            record.soak = Some(Soak {
                asked_seconds: 600.0,
                cool_down: "idle for 60 s with the model loaded, whatever its temperature was"
                    .into(),
                rest_seconds: 60.0,
                after_rest: 1,
                tracks: vec![
                    track("rapl_package_0_watts", "W", &|at| speed(at) * 0.9),
                    track("hwmon_k10temp_tctl_max_celsius", "°C", &|at| {
                        95.0 - 50.0 * (-at / 60.0).exp()
                    }),
                    track("cpu_clock_mean_mhz", "MHz", &|at| speed(at) * 80.0),
                ],
            });
        })
        .done()
}

fn page(records: &[Record]) -> String {
    let meta = Meta {
        title: "soak".into(),
        generated: "2026-11-20T12:10:00Z".into(),
        tool: "yardstick 0.1.0".into(),
    };
    let text = html(&Comparison::of(records), records, &meta);
    let path = format!("{}/soak.html", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, &text).expect("the target folder takes files");
    println!("{path}");
    text
}

#[test]
fn a_soak_is_drawn_and_ranked_by_its_sustained_speed() {
    let records = [soaked("cpu:slow", 31.0), soaked("cpu:steady", 49.0)];
    let text = page(&records);
    for word in ["cpu:slow", "sustained", "throttled after", "°C", "cpu_clock_mean_mhz", "Soak of"]
    {
        assert!(text.contains(word), "{word} is missing");
    }
    assert!(text.matches("<svg").count() >= 2, "a drawing each");
    let comparison = Comparison::of(&records);
    assert_eq!(comparison.soaks[0].device, "cpu:steady");
    let slow = &comparison.soaks[1];
    assert!((slow.burst.value().unwrap() - 50.0).abs() < 1.0, "{:?}", slow.burst);
    assert!((slow.sustained.value().unwrap() - 31.0).abs() < 1.0, "{:?}", slow.sustained);
    let throttled = *slow.throttled_after.value().unwrap();
    assert!((110.0..=130.0).contains(&throttled), "{throttled}");
    assert!((slow.recovered.value().unwrap() - 0.94).abs() < 0.02, "{:?}", slow.recovered);
    assert!(comparison.rankings.is_empty(), "a soak is not ranked by its median");
    for width in [80, 200] {
        let text = terminal(&comparison, width, false);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        assert!(text.contains("sustained t/s: ") && text.contains("throttled after: "), "{text}");
    }
    assert!(json(&comparison).contains("\"first_minute\""));
}

#[test]
fn an_interrupted_soak_keeps_its_curve_and_says_so() {
    let mut record = soaked("cpu:a", 31.0);
    record.samples.truncate(20);
    record.outcome = yardstick_record::Outcome::Failed {
        kind: yardstick_record::FailureKind::Interrupted,
        message: "interrupted after 20 samples".into(),
    };
    if let Some(soak) = &mut record.soak {
        soak.after_rest = 0;
    }
    let curves = Comparison::of(&[record]).soaks;
    let [curve] = curves.as_slice() else { panic!("{curves:?}") };
    assert!(curve.burst.value().is_some() && curve.points.len() > 5, "{curve:?}");
    assert!(curve.first_minute.reason().unwrap().contains("this takes 60 s"), "{curve:?}");
    assert!(curve.cut_short.as_deref().unwrap().contains("interrupted"), "{curve:?}");
}

#[test]
fn a_metered_row_tells_its_scope_and_how_far_it_can_be_off() {
    let reading = |name: &str, unit: &str, scope: &str, value| Reading {
        name: name.into(),
        value: Known::Value(value),
        unit: unit.into(),
        better: None,
        source: "external meter".into(),
        scope: scope.into(),
        precision: Some(Precision { uncertainty: 1.6, rate_hz: 1.0, coverage: 0.99 }),
    };
    let metered = cell("cpu:a", "smollm-135m:Q4_0", "tg8").speed(20.0, 5).with(|record| {
        record.readings.push(reading("meter_plug_mean_watts", "W", "wall", 80.0));
        record.readings.push(reading("meter_plug_max_watts", "W", "wall", 95.0));
        record.readings.push(reading("window_seconds", "s", "test", 2.0));
    });
    let comparison = Comparison::of(&[metered.done()]);
    let text = terminal(&comparison, 200, false);
    println!("{text}");
    for word in ["J/token", "4.00", "± meter", "2.0 %", "metered", "wall", "95.00"] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    let lines = csv(&comparison);
    for word in ["energy_coverage", "meter_plug_mean", ",900000,"] {
        assert!(lines.contains(word), "{word} is missing in {lines}");
    }
    let without = Comparison::of(&[cell("cpu:a", "m", "tg8").speed(20.0, 5).done()]);
    assert!(!terminal(&without, 200, false).contains("J/token"), "no meter, no column");
    assert!(json(&without).contains("no meter of its device was read"));
}
