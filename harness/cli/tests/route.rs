//! `yardstick route`: the curve, the threshold that keeps the needs, and files that are wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::Place;

const PLAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/routes/desk.toml");
const SCORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/routes/desk.jsonl");
/// Records without answers.
const RECORDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reports/records/2026-11-20-amd-epyc-zen5-2core-vm.jsonl"
);

#[test]
fn the_example_has_a_curve_and_a_threshold() {
    let place = Place::new();
    let (code, out, err) = place.run(&["route", "--plan", PLAN, "--scores", SCORES]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("desk: a query stays where confidence is at least"), "{out}");
    assert!(out.contains("chosen on these very queries"), "{out}");
    let (_, out, _) = place.run(&["route", "--plan", PLAN, "--scores", SCORES, "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    let points = found["found"]["points"].as_array().unwrap();
    let chosen = &points[found["found"]["chosen"].as_u64().unwrap() as usize];
    assert!(chosen["loss"].as_f64().unwrap() <= 0.05 && chosen["local"].as_f64().unwrap() > 0.1);
    assert!(chosen["joules"]["unavailable"].as_str().unwrap().contains("small: joules"));
    assert_eq!(points[0]["local"], 0.0);
}

#[test]
fn wrong_files_are_refused() {
    let place = Place::new();
    let file = place.path("x");
    let file = file.to_str().unwrap();
    std::fs::write(file, "name = \"n\"\n[smal]\ncost = 1\n").unwrap();
    let (code, _, err) = place.run(&["route", "--plan", file, "--scores", SCORES]);
    assert!(code == 2 && err.contains(":2:2: key `smal`: unknown field"), "{err}");
    std::fs::write(file, "{\"id\": \"a\", \"small\": 3, \"large\": 1, \"confidence\": 1}\n")
        .unwrap();
    let (code, _, err) = place.run(&["route", "--plan", PLAN, "--scores", file]);
    assert!(code == 2 && err.contains(":1: small: found 3"), "{err}");
    let asked = ["route", "--plan", PLAN, "--scores", SCORES, "--small", RECORDS];
    let (code, _, err) = place.run(&asked);
    assert!(code == 2 && err.contains("none of its answers has the id"), "{err}");
}
