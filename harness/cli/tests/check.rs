//! `yardstick check`: the report's own figures held against budgets, and the exit code that says how it went.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::Place;

/// Two models in three formats, prefill and decode, on one machine without a power meter.
const RECORDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reports/records/2026-11-20-amd-epyc-zen5-2core-vm.jsonl"
);
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/budgets/edge.toml");

fn check(budget: &str, more: &[&str]) -> (i32, String, String) {
    let place = Place::new();
    let file = place.path("budgets.toml");
    std::fs::write(&file, budget).unwrap();
    let file = file.to_str().unwrap();
    place.run(&[&["check", "--budget", file, "--records", RECORDS], more].concat())
}

fn budget(lines: &str) -> String {
    format!("name = \"b\"\n[[budget]]\n{lines}\n")
}

#[test]
fn the_exit_code_is_the_worst_of_the_verdicts() {
    for (lines, expected) in [
        ("metric = \"tokens_per_second\"\nthreshold = 1", 0),
        ("metric = \"tokens_per_second\"\nthreshold = 1e9", 1),
        ("metric = \"token_latency_p95_ns\"\nthreshold = 1e12", 0),
        ("metric = \"token_latency_p95_ns\"\nthreshold = 1", 1),
        ("metric = \"mean_watts\"\nthreshold = 5", 3),
        ("metric = \"tokens_per_second\"\nthreshold = \"5 %\"", 3),
        ("metric = \"tokens_per_second\"\nthreshold = 1\nscope = { devices = [\"cuda\"] }", 3),
    ] {
        let (code, out, err) = check(&budget(lines), &[]);
        assert_eq!(code, expected, "{lines}\n{out}{err}");
        assert_eq!(out.contains("ALERT"), expected == 1, "{out}");
        assert_eq!(out.contains("NOT JUDGED"), expected == 3, "{out}");
    }
}

#[test]
fn a_run_against_itself_has_not_changed() {
    let lines = "metric = \"tokens_per_second\"\nthreshold = \"1 %\"";
    let (code, out, err) = check(&budget(lines), &["--baseline", RECORDS]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn figures_are_those_of_the_report_field_for_field() {
    let place = Place::new();
    let (code, _, err) = place.run(&["import", RECORDS]);
    assert_eq!(code, 0, "{err}");
    let json = |arguments: &[&str]| -> Value {
        let (_, out, err) = place.run(arguments);
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
    };
    let report = json(&["report", "--all", "--format", "json"]);
    let check = json(&["check", "--budget", EXAMPLE, "--records", RECORDS, "--format", "json"]);
    let mut compared = 0;
    for one in check["judgements"].as_array().unwrap() {
        let Some(row) = one["row"].as_u64() else { continue };
        let metric = one["metric"].as_str().unwrap();
        assert_eq!(one["found"], report["rows"][row as usize]["metrics"][metric], "{metric}");
        assert_eq!(one["cell"]["records"], report["rows"][row as usize]["records"]);
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
}

#[test]
fn alerts_and_series_name_the_instance() {
    let broken = budget("metric = \"tokens_per_second\"\nthreshold = 1e9");
    let (_, out, _) = check(&broken, &["--instance", "box-7"]);
    assert!(out.starts_with("ALERT box-7 cpu:avx512-vnni"), "{out}");
    let (code, out, _) = check(&broken, &["--instance", "box-7", "--format", "prometheus"]);
    assert_eq!(code, 1);
    let kept = out.lines().find(|line| line.starts_with("yardstick_budget_kept{")).unwrap();
    assert!(kept.contains("instance=\"box-7\"") && kept.ends_with(" 0"), "{kept}");
    let unjudged = budget("metric = \"mean_watts\"\nthreshold = 5");
    let (_, out, _) = check(&unjudged, &["--format", "prometheus"]);
    assert!(!out.contains("yardstick_budget_kept{"), "{out}");
    assert!(out.contains("yardstick_budget_judged{"), "{out}");
}

#[test]
fn files_that_are_wrong_are_refused_with_their_place() {
    for (text, words) in [
        ("name = \"b\"\n[[budget]]\nmetrc = \"x\"\n", ":3:1: key `budget.metrc`: unknown field"),
        ("name = \"b\"\nbudgets = 1\n", ":2:1: key `budgets`: unknown field"),
        ("name = \"b\"\n", "found no [[budget]]"),
        (&budget("metric = \"warp\"\nthreshold = 1"), ":3:10: key `budget.metric`: found \"warp\""),
        (
            &budget("metric = \"mean_watts\"\ndirection = \"higher\"\nthreshold = 1"),
            "found \"higher\", expected lower",
        ),
    ] {
        let (code, out, err) = check(text, &[]);
        assert!(code == 2 && err.contains(words), "{text}: {out}{err}");
    }
    let place = Place::new();
    let newer = place.path("newer.jsonl");
    let text = std::fs::read_to_string(RECORDS).unwrap().replace("\"schema\":1", "\"schema\":99");
    std::fs::write(&newer, text).unwrap();
    let newer = newer.to_str().unwrap();
    let (code, _, err) = place.run(&["check", "--budget", EXAMPLE, "--records", newer]);
    assert!(code == 2 && err.contains("schema 99 is newer"), "{err}");
}
