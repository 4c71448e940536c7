//! What else a machine did, as the page shows it.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use yardstick_analyse::{Comparison, interference};
use yardstick_record::{Record, Timeline, Track};
use yardstick_render::{Meta, html};

/// A launch that was watched for two seconds, during the second of which others took 60 % of the machine.
fn watched(launch: u32) -> Record {
    let track = |name: &str, unit: &str, value: fn(f64) -> f64| Track {
        name: name.into(),
        unit: unit.into(),
        points: (1..=10).map(|i| f64::from(i) / 5.0).map(|at| (at, value(at))).collect(),
    };
    let tracks = vec![
        track("foreign_cpu_percent", "%", |at| if at > 1.0 { 60.0 } else { 1.0 }),
        track("worker_cpu_percent", "%", |at| if at > 1.0 { 40.0 } else { 98.0 }),
        track("cpu_clock_fastest_mhz", "MHz", |_| 3100.0),
        track("major_faults", "faults", |_| 0.0),
    ];
    let build = build::cell("cpu:a", "tiny:Q4_0", "tg8").launch(launch).speed(50.0, 10);
    build
        .with(|record| {
            let started = format!("2026-11-20T12:00:{launch:02}Z");
            record.timeline = Some(Timeline { started, started_ns: 0, tracks });
            record.samples[7].marks.push("starved: other processes 60 %".into());
        })
        .done()
}

#[test]
fn tests_stand_one_after_the_other_on_the_watched_time() {
    let seen = interference(&[watched(1), watched(0)]);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].seconds, seen[0].samples, seen[0].marked), (4.0, 20, 2));
    let foreign = &seen[0].tracks[0].points;
    assert_eq!(foreign.len(), 20);
    assert_eq!(
        (foreign[0], foreign[9], foreign[10], foreign[19]),
        ((0.2, 1.0), (2.0, 60.0), (2.2, 1.0), (4.0, 60.0))
    );
    let unwatched = build::cell("cpu:a", "tiny:Q4_0", "tg8").speed(50.0, 5).done();
    assert_eq!(interference(&[unwatched]), []);
}

#[test]
fn the_page_draws_it_and_says_how_many_samples_it_spoilt() {
    let records = [watched(0), watched(1)];
    let meta = Meta { title: "watched".into(), generated: "now".into(), tool: "yardstick".into() };
    let text = html(&Comparison::of(&records), &records, &meta);
    let path = format!("{}/interference.html", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, &text).expect("the target folder takes files");
    println!("{path}");
    assert!(text.contains("2 of the 20 samples of run"), "the title is the finding");
    for curve in ["foreign cpu", "worker cpu", "cpu clock fastest"] {
        assert!(text.contains(curve), "{curve} is missing");
    }
    assert!(!text.contains("major faults"), "what never happened is no picture");
    assert!(text.contains("2 set apart"));
}
