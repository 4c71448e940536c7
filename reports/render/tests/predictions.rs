//! Predicted against measured, of committed records: as lines and on the page.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use yardstick_analyse::Comparison;
use yardstick_analyse::predict::HeldOut;
use yardstick_record::Record;
use yardstick_render::{Meta, held_out, html};

/// Three formats of two models, prefill and decode.
fn records() -> Vec<Record> {
    let text = include_str!("../../records/2026-11-20-amd-epyc-zen5-2core-vm.jsonl");
    text.lines().map(|line| Record::from_json(line).unwrap()).collect()
}

#[test]
fn a_report_has_a_line_a_setup_and_phase() {
    let found = HeldOut::of(&records());
    for width in [80, 200] {
        let text = held_out(&found, false, width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        assert_eq!(text.matches("median error").count(), 2, "{text}");
        let cells = held_out(&found, true, width);
        let words: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(words.join(" ").matches(", measured ").count(), 12, "{cells}");
    }
    assert_eq!(held_out(&[], true, 80), "");
}

#[test]
fn the_page_has_a_section_where_two_models_were_measured_and_none_with_one() {
    let meta = Meta { title: "x".into(), generated: "x".into(), tool: "x".into() };
    let mut records = records();
    let text = html(&Comparison::of(&records), &records, &meta);
    assert_eq!(text.matches("<h2 id=\"predictions-heading\">").count(), 1);
    assert_eq!(text.matches(", measured ").count(), 2 * 12);
    records.retain(|record| record.cell.model.name.starts_with("smollm"));
    let text = html(&Comparison::of(&records), &records, &meta);
    assert!(!text.contains("predictions-heading"));
}
