//! `yardstick predict`: labelled, named by what it stands on, silent where it has no ground.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::Place;

/// Three formats of two models, prefill and decode, on one machine.
const RECORDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reports/records/2026-11-20-amd-epyc-zen5-2core-vm.jsonl"
);

fn predict(arguments: &[&str]) -> (i32, String, String) {
    Place::new().run(&[&["predict"], arguments].concat())
}

fn answers(arguments: &[&str]) -> Vec<Value> {
    let (code, out, err) = predict(&[arguments, &["--json"]].concat());
    assert_eq!(code, 0, "{err}");
    let value: Value = serde_json::from_str(&out).unwrap();
    value["predictions"].as_array().unwrap().clone()
}

#[test]
fn a_model_never_measured_has_a_speed_an_interval_and_the_records_it_stands_on() {
    let asked = ["--records", RECORDS, "-d", "cpu", "-m", "qwen2-0.5b:Q4_0", "-t", "tg64,pp512"];
    let answers = answers(&asked);
    assert_eq!(answers.len(), 2);
    for answer in &answers {
        let predicted = &answer["predicted"];
        assert_eq!(predicted["from"], "records");
        let speed = predicted["tokens_per_second"].as_f64().unwrap();
        let interval = &predicted["interval"];
        assert!(interval["low"].as_f64().unwrap() < speed, "{answer}");
        assert!(speed < interval["high"].as_f64().unwrap(), "{answer}");
        assert_eq!(predicted["records"].as_array().unwrap().len(), 18);
    }
    let (code, out, _) = predict(&asked);
    assert!(code == 0 && out.contains("Predicted, not measured."), "{out}");
}

#[test]
fn what_cannot_be_said_has_its_reason_in_the_place_of_the_number() {
    let answers =
        answers(&["--records", RECORDS, "-d", "cpu", "-m", "llama-3-70b:Q8_0", "-t", "tg64"]);
    let reason = answers[0]["predicted"]["unavailable"].as_str().unwrap();
    assert!(reason.contains("does not fit"), "{reason}");
}

#[test]
fn a_device_with_a_data_sheet_needs_no_record() {
    let answers = answers(&["-d", "rtx-4060", "-m", "llama-3.2-3b:Q4_0", "-t", "tg128"]);
    let predicted = &answers[0]["predicted"];
    assert_eq!((&predicted["from"], &predicted["class"]), (&"data_sheet".into(), &"gpu".into()));
    let (code, out, _) = predict(&["-d", "rtx-4060", "-m", "llama-3.2-3b:Q4_0", "-t", "tg128"]);
    assert!(code == 0 && out.contains("data sheet only"), "{out}");
}

#[test]
fn held_out_models_are_shown_against_what_was_measured() {
    let (code, out, _) = predict(&["--records", RECORDS, "--held-out"]);
    assert!(code == 0 && out.contains("decode: median error"), "{out}");
    let cell = out.lines().find(|line| line.contains("llama-3.2-1b:Q4_0 tg64: limit ")).unwrap();
    assert!(cell.contains(", predicted ") && cell.contains(", measured "), "{cell}");
}

#[test]
fn wrong_questions_are_refused() {
    let place = Place::new();
    let file = place.path("devices.toml");
    std::fs::write(&file, "[[device]]\nid = \"a\"\nwats = 3\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, words) in [
        (&["-d", "toaster", "-m", "tiny:Q4_0"][..], "toaster: no verified cell"),
        (&["-d", "rtx-4060", "-m", "tiny:Q9"], "Q9"),
        (&["-d", "rtx-4060", "-m", "tiny:Q4_0", "-t", "warp"], "warp"),
        (&["-d", "rtx-4060", "-m", "tiny:Q4_0", "--sequences", "0"], "expected 1 to"),
        (&["-d", "a", "-m", "tiny:Q4_0", "--catalogue", file], ":3:1: key `device.wats`"),
        (&["-d", "cpu", "-m", "tiny:Q4_0", "--records", file], "devices.toml:1"),
    ] {
        let (code, _, err) = predict(arguments);
        assert!(code == 2 && err.contains(words), "{words}: {err}");
    }
}
