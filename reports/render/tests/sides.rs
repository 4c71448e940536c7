//! Sides for people and for programs: what changed first, harmless text, lines that fit.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use build::{cell, launches};
use yardstick_analyse::Brief;
use yardstick_analyse::sides::{By, Side, Sides};
use yardstick_record::Record;
use yardstick_render::{Meta, sides_csv, sides_html, sides_json, sides_markdown, sides_terminal};

fn run(name: &str, speeds: [f64; 3]) -> Vec<Record> {
    let tests = ["tg128", "tg128@d2048", "pp512"];
    let each = |(test, speed): (&str, f64)| {
        launches(6, |launch| {
            cell("cpu:avx512-vnni", "smollm-135m:Q4_0", test)
                .launch(launch)
                .speed(speed, 5)
                .with(|record| record.run.id = name.to_owned())
        })
    };
    tests.into_iter().zip(speeds).flat_map(each).collect()
}

fn sides(names: [&str; 2]) -> Sides {
    let mut first = run(names[0], [50.0, 40.0, 900.0]);
    first.push(cell("wgpu:0", "smollm-135m:Q4_0", "tg128").skipped("no driver", None).done());
    let second = run(names[1], [50.1, 30.0, 1000.0]);
    let side = |(name, records): (&str, Vec<Record>)| Side {
        name: name.to_owned(),
        by: By::Run,
        briefs: records.iter().map(Brief::of).collect(),
    };
    let sides = names.into_iter().zip([first, second]).map(side).collect::<Vec<_>>();
    Sides::join(&sides, &[], false).unwrap()
}

#[test]
fn the_table_at_80_and_200_columns() {
    let sides = sides(["20261120-aa", "20261121-bb"]);
    for width in [80, 200] {
        let text = sides_terminal(&sides, width, false);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        insta::assert_snapshot!(format!("sides_at_{width}"), text);
    }
}

#[test]
fn markdown_csv_json_and_page_hold_every_line() {
    let sides = sides(["a|b", "<script>alert(1)</script>\u{202e}"]);
    let markdown = sides_markdown(&sides, true);
    assert!(markdown.contains("1.33× slower") && !markdown.contains("<script>"), "{markdown}");
    let csv = sides_csv(&sides);
    // Three cells with speed and memory on two sides, and the header.
    assert_eq!(csv.lines().count(), 1 + 3 * 2 * 2, "{csv}");
    assert!(
        csv.lines().nth(1).unwrap().starts_with("smollm-135m:Q4_0,cpu:avx512-vnni,,tg128@d2048,")
    );
    let json: serde_json::Value = serde_json::from_str(&sides_json(&sides)).unwrap();
    let lines = json["comparison"]["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["shifts"][1]["better"]), (6, &serde_json::json!(false)));
    assert_eq!(json["comparison"]["lone"][0]["missing"]["a|b"], "skipped: no driver");
    let meta = Meta { title: "a · b".into(), generated: "now".into(), tool: "yardstick".into() };
    let page = sides_html(&sides, &meta);
    assert!(
        page.matches("<script").count() == 1
            && page.contains("&lt;script&gt;")
            && page.contains("1.33× slower")
    );
}
