//! Snapshots of every text format, and what must hold for each.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;
mod fixture;

use yardstick_analyse::Comparison;
use yardstick_render::{csv, json, markdown, terminal};

fn comparison() -> Comparison {
    Comparison::of(&fixture::run())
}

#[test]
fn terminal_at_80_columns() {
    let text = terminal(&comparison(), 80, false);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn terminal_at_200_columns() {
    let text = terminal(&comparison(), 200, false);
    assert!(text.lines().all(|line| line.chars().count() <= 200), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn rows_that_differ_only_in_threads_can_be_told_apart_where_room_is_short() {
    let threads = |n: usize| {
        build::cell("cpu:avx512-vnni", "llama-3.2-1b:Q4_0", "tg128")
            .speed(10.0 * n as f64, 8)
            .with(|r| {
                r.cell.options.threads = Some(n);
                if let yardstick_api::Known::Value(facts) = &mut r.facts {
                    facts.threads = yardstick_api::Known::Value(n);
                }
            })
            .done()
    };
    let text = terminal(&Comparison::of(&[threads(1), threads(2)]), 80, false);
    assert!(text.lines().next().unwrap().contains("threads"), "{text}");
}

#[test]
fn colours_appear_only_on_request() {
    let (plain, colour) = (terminal(&comparison(), 120, false), terminal(&comparison(), 120, true));
    assert!(!plain.contains('\x1b'));
    assert!(colour.contains("\x1b[32mpassed\x1b[0m") && colour.contains("\x1b[31mFAILED\x1b[0m"));
    let mut stripped = colour;
    for code in ["\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn markdown_table() {
    insta::assert_snapshot!(markdown(&comparison()));
}

#[test]
fn csv_lines() {
    insta::assert_snapshot!(csv(&comparison()));
}

#[test]
fn json_rows() {
    let value: serde_json::Value = serde_json::from_str(&json(&comparison())).unwrap();
    assert_eq!(value["rows"].as_array().unwrap().len(), comparison().rows.len());
    let picked: Vec<&serde_json::Value> = [0, 2, 7].iter().map(|&i| &value["rows"][i]).collect();
    insta::assert_json_snapshot!((picked, &value["rankings"], &value["varying"]));
}

#[test]
fn no_records_is_said() {
    let none = Comparison::of(&[]);
    assert_eq!(terminal(&none, 80, true), "no records\n");
    assert_eq!(markdown(&none), "No records.\n");
    assert_eq!(csv(&none).lines().count(), 1);
    assert!(json(&none).contains("\"rows\": []"));
}
