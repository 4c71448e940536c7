//! What backends tell of their memory against what the system saw.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;

use build::{Build, cell};
use yardstick_analyse::memory::reconciled;
use yardstick_api::{DeviceKind, Known};
use yardstick_record::{FailureKind, Outcome, Reading};

fn reading(name: &str, value: Known<f64>) -> Reading {
    let unit = if name.ends_with("bytes") { "bytes" } else { "faults" };
    Reading {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        better: None,
        source: "test".into(),
        scope: "worker".into(),
        precision: None,
    }
}

fn holding(test: &str, readings: &[(&str, Known<f64>)]) -> Build {
    cell("cpu:a", "m:Q4_0", test).with(|record| {
        record.readings =
            readings.iter().map(|(name, value)| reading(name, value.clone())).collect();
        let Known::Value(facts) = &mut record.facts else { panic!("facts are built in") };
        (facts.mapped_bytes, facts.copied_bytes) = (1000, 200);
        (facts.kv_bytes, facts.scratch_bytes) = (30, 4);
    })
}

#[test]
fn told_and_seen_are_reconciled_and_the_difference_is_a_line() {
    let seen = |pss: f64, faults: f64| {
        [
            ("pss_bytes", Known::Value(pss)),
            ("rss_anonymous_bytes", Known::Value(300.0)),
            ("major_faults", Known::Value(faults)),
        ]
    };
    let records = [
        holding("tg8", &seen(1300.0, 2.0)).done(),
        holding("pp8", &seen(1500.0, 1.0)).done(),
        holding("tg8@d4", &seen(1400.0, 0.0)).done(),
    ];
    let all = reconciled(&records);
    assert_eq!(all.len(), 1, "tests of one resident model are one line");
    let one = &all[0];
    assert_eq!(one.held.value().unwrap().total(), 1234);
    assert_eq!((one.seen_bytes.value(), one.seen_as), (Some(&1400.0), "PSS"));
    assert_eq!(one.difference_bytes.value(), Some(&166.0));
    assert_eq!(one.private_difference_bytes.value(), Some(&66.0), "of copies, KV and scratch");
    assert_eq!((one.major_faults.value(), one.records), (Some(&3.0), 3));
    assert!(one.peak_bytes.reason().is_some(), "nobody read it: null with a reason");
}

#[test]
fn without_pss_resident_memory_stands_in_and_a_board_is_held_against_its_own() {
    let rss = [("pss_bytes", Known::unavailable("refused")), ("rss_bytes", Known::Value(2000.0))];
    let all = reconciled(&[holding("tg8", &rss).done()]);
    assert_eq!((all[0].seen_as, all[0].difference_bytes.value()), ("RSS", Some(&766.0)));
    let board = holding("tg8", &rss).with(|record| {
        if let Known::Value(device) = &mut record.device {
            device.kind = DeviceKind::Gpu;
        }
    });
    let all = reconciled(&[board.done()]);
    assert_eq!(all[0].seen_as, "VRAM");
    assert!(
        all[0].difference_bytes.reason().is_some(),
        "system memory never stands in for a board's"
    );
}

#[test]
fn what_did_not_end_well_and_other_options_are_apart() {
    let ok = || holding("tg8", &[("pss_bytes", Known::Value(1.0))]);
    let failed = Outcome::Failed { kind: FailureKind::Backend, message: "x".into() };
    let deep = ok().with(|record| record.cell.options.sequences = 4);
    let all = reconciled(&[ok().done(), deep.done(), ok().launch(1).ended(failed).done()]);
    let options: Vec<&str> = all.iter().map(|one| one.options.as_str()).collect();
    assert_eq!(options, ["", "sequences 4"]);
}
