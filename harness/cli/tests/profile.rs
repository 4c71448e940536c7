//! `yardstick profile` and `why` on the cpu backend: every form, parts that sum, and requests that are wrong.
#![cfg(feature = "cpu")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::Place;

const CELL: [&str; 8] = ["-m", "tiny:Q4_0", "-t", "tg4@d8", "--threads", "1", "--rounds", "2"];

fn sum(list: &Value) -> f64 {
    list.as_array().unwrap().iter().filter_map(|one| one["ns"].as_f64()).sum()
}

#[test]
fn a_profile_has_parts_that_sum_a_roofline_a_trace_and_stacks() {
    let place = Place::new();
    let (trace, stacks, page) = (place.path("t.json"), place.path("s.txt"), place.path("p.html"));
    let [trace_name, stacks_name, page_name] =
        [&trace, &stacks, &page].map(|path| path.to_str().unwrap());
    let json = ["--format", "json", "--trace", trace_name, "--folded", stacks_name];
    let (code, out, err) = place.run(&[&["profile"], &CELL[..], &json].concat());
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let cell = &found["cells"][0];
    let total = cell["split"]["total_ns"].as_f64().unwrap();
    assert!((sum(&cell["split"]["shares"]) / total - 1.0).abs() < 1e-9, "{}", cell["split"]);
    let bytes = &cell["counts"][0];
    assert_eq!(bytes["what"], "bytes");
    assert!(bytes["backend"].as_f64().unwrap() > 0.0 && bytes["model"].as_f64().unwrap() > 0.0);
    let layers = cell["layers"].as_array().unwrap();
    assert!(layers.len() > cell["operations"].as_array().unwrap().len());
    assert!(found["why"].is_null());
    let trace: Value = serde_json::from_str(&std::fs::read_to_string(trace_name).unwrap()).unwrap();
    let passes = trace["traceEvents"].as_array().unwrap().iter();
    assert_eq!(passes.filter(|event| event["name"] == "pass").count(), 4);
    let stacks = std::fs::read_to_string(stacks_name).unwrap();
    assert!(stacks.lines().all(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().is_ok()));
    assert!(stacks.contains(";layer 0;attn_qkv "), "{stacks}");

    let html = ["--format", "html", "-o", page_name];
    let (code, _, err) = place.run(&[&["profile"], &CELL[..], &html].concat());
    assert_eq!(code, 0, "{err}");
    let page = std::fs::read_to_string(page_name).unwrap();
    assert!(page.contains("operations a byte") && page.contains("attn_qkv"), "a roofline");
    let (_, out, _) = place.run(&[&["profile", "--layers"], &CELL[..]].concat());
    for words in ["Where a token goes", "layer 0", "Roofs, measured in the same minutes"] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[test]
fn why_decomposes_the_gap_between_two_cells() {
    let place = Place::new();
    let asked = ["why", "tiny:Q4_0,threads=1", "test=tg4@d64", "-t", "tg4", "--rounds", "5"];
    let (code, out, err) = place.run(&[&asked[..], &["-f", "json"]].concat());
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let why = &found["why"];
    let gap = why["gap_ns"].as_f64().unwrap();
    assert!((sum(&why["terms"]) - gap).abs() <= 1e-6 * gap.abs().max(1.0), "{why}");
    assert_eq!((&why["a"]["label"], &why["b"]["label"]), (&"tg4".into(), &"tg4@d64".into()));
    assert!(found["sentence"].as_str().unwrap().contains("tg4"), "{found}");
    let against = ["--against", "threads=1"];
    let (code, out, err) = place.run(&[&["profile"], &CELL[..], &against].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("Why tiny:Q4_0 tg4@d8 takes another time than"), "{out}");
}

#[test]
fn wrong_requests_are_refused_before_anything_runs() {
    let place = Place::new();
    for (asked, why) in [
        (["why", "tiny:Q4_0", "test=load"], "pp512, tg128"),
        (["why", "threads=1", "tiny:Q4_0"], "names no model"),
        (["why", "tiny:Q4_0", "device=nothing"], "no backend nothing"),
        (["why", "tiny:Q4_0", "device=reference"], "does not time its operations"),
        (["why", "tiny:Q4_0", "test=tg4@d99999999"], "context"),
    ] {
        let (code, out, err) = place.run(&[&asked[..], &["-t", "tg2", "--rounds", "1"]].concat());
        assert!(code == 2 && out.is_empty() && err.contains(why), "{asked:?}: {out} {err}");
    }
    let (code, _, err) = place.run(&[&["profile"], &CELL[..], &["-f", "html"]].concat());
    assert!(code == 2 && err.contains("--output FILE"), "{err}");
}
