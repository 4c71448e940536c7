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

#[test]
fn the_page_draws_the_curve_and_keeps_hostile_names_harmless() {
    let place = Place::new();
    let plan = place.path("plan.toml");
    let name = "<script>alert(1)</script>";
    let text = std::fs::read_to_string(PLAN).unwrap();
    std::fs::write(&plan, text.replace("name = \"desk\"", &format!("name = '{name}'"))).unwrap();
    let page = place.path("page.html");
    let (plan, page) = (plan.display().to_string(), page.display().to_string());
    let (code, _, err) =
        place.run(&["route", "--plan", &plan, "--scores", SCORES, "--html", &page]);
    assert_eq!(code, 0, "{err}");
    let made = std::fs::read_to_string(page).unwrap();
    assert!(made.contains("<svg role=\"img\"") && made.contains("chosen"), "{made}");
    assert!(!made.contains(name) && made.contains("&lt;script"), "{made}");
    assert!(!made.contains("src=\"http"), "it is self-contained");
}

/// Questions answered by two formats of one model: scores and confidences are the records' own.
#[test]
fn answers_of_records_are_routed_by_the_small_models_own_confidence() {
    let place = Place::new();
    let questions = place.path("choice.jsonl");
    let line = |i: usize, question: &str, right: usize| {
        format!(
            "{{\"id\": \"q{i}\", \"question\": \"{question}\", \"choices\": [\" is\", \" zebra\"], \"answer\": {right}}}\n"
        )
    };
    let asked = ["This function", "The type", "A slice", "The value"];
    let text: String = asked.iter().enumerate().map(|(i, q)| line(i, q, i % 2)).collect();
    std::fs::write(&questions, text).unwrap();
    let questions = questions.display().to_string();
    let mut files = Vec::new();
    for format in ["Q2_K", "Q8_0"] {
        let model = format!("rustdoc-6m:{format}");
        let (code, out, err) = place.run(&[
            "run", "--json", "-d", "cpu", "-m", &model, "-t", "choice", "--choice", &questions,
        ]);
        assert_eq!(code, 0, "{err}");
        let path = place.path(&format!("{format}.jsonl"));
        std::fs::write(&path, out).unwrap();
        files.push(path.display().to_string());
    }
    let arguments = ["route", "--plan", PLAN, "--small", &files[0], "--large", &files[1], "--json"];
    let (code, out, err) = place.run(&arguments);
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["found"]["queries"], 4, "{out}");
    let (code, _, err) = place.run(&["route", "--plan", PLAN]);
    assert!(code == 2 && err.contains("--scores is needed"), "{err}");
    let without = ["route", "--plan", PLAN, "--small", RECORDS, "--large", RECORDS];
    let (code, _, err) = place.run(&without);
    assert!(code == 2 && err.contains("no answer has a confidence"), "{err}");
}

#[test]
fn the_study_of_exits_reads_every_layer_and_says_that_it_is_a_study() {
    let place = Place::new();
    let arguments = ["route", "--exits", "rustdoc-6m:Q8_0", "--windows", "1"];
    let (code, out, err) = place.run(&arguments);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("A study:") && out.contains("100.0 %  100.0 %"), "{out}");
    let (_, out, _) = place.run(&[&arguments[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&out).unwrap();
    let layers = found["exits"]["agreement"].as_array().unwrap();
    assert_eq!(layers.last().unwrap(), 1.0, "the last layer is the model");
    assert!(layers.first().unwrap().as_f64().unwrap() < 0.9);
    let (code, _, err) = place.run(&["route", "--exits", "smollm-135m:Q4_0", "--plan", PLAN]);
    assert!(code == 2 && err.contains("cannot be used with"), "{err}");
}
