//! The doctor: every section, the same as JSON, whatever the machine has.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::{Place, ended};

#[test]
fn devices_sensors_and_gaps_are_told() {
    let place = Place::new();
    for columns in ["80", "200"] {
        let output = place.yardstick().env("COLUMNS", columns).arg("devices").output().unwrap();
        let (code, out, err) = ended(output);
        assert_eq!(code, 0, "{err}");
        for words in
            ["Devices\n", "cpu:scalar", "reference:f32", "Sensors\n", "rapl", "nvml", "peak_rss"]
        {
            assert!(out.contains(words), "no {words:?} in {out}");
        }
        let longest = out.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= columns.parse().unwrap(), "{longest} of {columns}:\n{out}");
    }
}

#[test]
fn json_has_all_of_it_under_names_that_stay() {
    let (code, out, err) = Place::new().run(&["devices", "--json"]);
    assert_eq!(code, 0, "{err}");
    let doctor: Value = serde_json::from_str(&out).unwrap();
    let backends: Vec<&str> = doctor["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["backend"].as_str().unwrap())
        .collect();
    assert!(backends.contains(&"cpu") && backends.contains(&"reference"), "{backends:?}");
    for sensor in doctor["sensors"].as_array().unwrap() {
        let status = &sensor["status"];
        assert!(status.is_string() || status["unavailable"].is_string(), "{sensor}");
        assert!(sensor["name"].is_string() && sensor["measures"].is_string(), "{sensor}");
        assert!(sensor["fix"].is_string() || sensor["fix"].is_null(), "{sensor}");
    }
    for gap in doctor["cannot_measure"].as_array().unwrap() {
        assert!(
            gap["quantity"].is_string()
                && gap["reason"].is_string()
                && gap["sensors"].is_array()
                && gap["how"].is_string()
        );
    }
}

#[test]
fn a_backend_that_crashes_while_listing_costs_its_line_only() {
    let (code, out, err) = Place::new().run(&["--test-doubles", "devices"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("null:") && out.contains("Sensors"), "{out}");
}
