//! `yardstick devices --ceilings`: what is measured, stored, kept and shown.

mod support;

use support::Place;
use yardstick_record::{Outcome, Record, Test};

#[test]
fn ceilings_become_records_and_a_fact_sheet_that_devices_shows_later() {
    let place = Place::new();
    let cache = place.path("cache");
    let run = |arguments: &[&str]| {
        let output = place.yardstick().env("YARDSTICK_CACHE", &cache).args(arguments).output();
        support::ended(output.unwrap())
    };
    let (code, out, err) =
        run(&["devices", "--ceilings", "--device", "cpu:scalar", "--threads", "1"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("\nCeilings\n") && out.contains("read@256MiB"), "{out}");
    let (code, lines, _) = run(&["export"]);
    assert_eq!(code, 0);
    let records: Vec<Record> = lines.lines().map(|line| Record::from_json(line).unwrap()).collect();
    let limits = records.iter().filter(|r| matches!(r.cell.test, Test::Limit(_))).count();
    assert_eq!((records.len(), limits), (18, 18));
    for record in &records {
        assert_eq!(record.cell.model.name, "no model");
        match (&record.outcome, record.cell.test.to_string()) {
            (Outcome::Ok, name) => {
                assert!(record.samples.len() >= 6, "{name}");
                assert!(record.reading("best_round").unwrap().value.value().is_some(), "{name}");
            }
            (Outcome::Skipped { reason, .. }, name) => {
                assert!(name.starts_with("peak-") || name == "wake", "{name}: {reason}");
            }
            (other, name) => panic!("{name}: {other:?}"),
        }
    }
    // Reports take them like any other record.
    let (code, report, err) = run(&["report", "--format", "csv"]);
    assert_eq!(code, 0, "{err}");
    assert!(report.contains("read@64MiB") && report.contains("barrier"), "{report}");
    // Another invocation finds the sheet, also as JSON.
    let (_, out, _) = run(&["devices"]);
    assert!(out.contains("\nCeilings\n") && out.contains("cpu:scalar"), "{out}");
    let (_, json, _) = run(&["devices", "--json"]);
    let doctor: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(doctor["ceilings"][0]["lines"].as_array().unwrap().len(), 18);
}

#[test]
fn what_cannot_be_asked_is_an_error_that_names_it() {
    let place = Place::new();
    for (arguments, words) in [
        (&["devices", "--device", "cpu"][..], "--ceilings"),
        (&["devices", "--ceilings", "--device", "warp:9"], "warp:9"),
        (&["devices", "--ceilings", "--threads", "none"], "--threads"),
        (&["run", "-t", "read@64MiB", "-m", "tiny:Q4_0"], "read@64MiB"),
    ] {
        let (code, _, err) = place.run(arguments);
        assert!(code == 2 && err.contains(words), "{arguments:?}: {code} {err}");
    }
}
