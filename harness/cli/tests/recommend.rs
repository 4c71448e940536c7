//! `yardstick recommend`: decides on records, says what it does not know, and labels what was predicted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::Place;

const RECORDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reports/records/2026-11-20-amd-epyc-zen5-2core-vm.jsonl"
);
const NEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/needs/shelf.toml");

fn recommend(arguments: &[&str]) -> (i32, String, String) {
    Place::new().run(&[&["recommend", "--need", NEEDS, "--records", RECORDS], arguments].concat())
}

#[test]
fn the_example_decides_and_every_line_names_records() {
    let (code, out, err) = recommend(&[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("shelf: "), "{out}");
    for words in
        ["In 1000 worlds (seed 1", "Meets every requirement", "records ", "No axis of quality"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (_, again, _) = recommend(&[]);
    assert_eq!(out, again);
}

/// The peers' file holds an A/A run too: two copies of one device. All its weights are random.
#[test]
fn copies_of_one_device_are_no_choice_and_random_weights_are_told() {
    let peers = RECORDS
        .replace("2026-11-20-amd-epyc-zen5-2core-vm", "2026-11-21-amd-epyc-zen5-2core-vm-peers");
    let arguments = ["recommend", "--need", NEEDS, "--records", &peers, "--json"];
    let (code, out, err) = Place::new().run(&arguments);
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let judged = found["recommendation"]["judged"].as_array().unwrap();
    let devices: Vec<&str> =
        judged.iter().map(|one| one["candidate"]["device"].as_str().unwrap()).collect();
    assert!(!devices.is_empty());
    assert!(devices.iter().all(|id| !id.ends_with(" a") && !id.ends_with(" b")), "{devices:?}");
    let (_, text, _) = Place::new().run(&arguments[..5]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("are random: speed, memory and cost are those of its shape"), "{text}");
}

#[test]
fn what_was_not_measured_is_labelled_predicted() {
    let asked = [
        "--what-if",
        "device=cpu,model=qwen2-0.5b:Q4_0",
        "--what-if",
        "device=rtx-4060,model=llama-3.2-3b:Q4_0",
        "--json",
    ];
    let (code, out, err) = recommend(&asked);
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let judged = found["recommendation"]["judged"].as_array().unwrap();
    let of = |model: &str| {
        let own = |one: &&Value| one["candidate"]["model"] == model;
        judged.iter().find(own).unwrap()["candidate"]["figures"]["tokens_per_second"].clone()
    };
    let (predicted, sheet) = (of("qwen2-0.5b:Q4_0"), of("llama-3.2-3b:Q4_0"));
    assert_eq!((&predicted["basis"], &sheet["basis"]), (&"predicted".into(), &"data_sheet".into()));
    assert!(predicted["range"][0].as_f64().unwrap() < predicted["value"].as_f64().unwrap());
    assert!(!predicted["records"].as_array().unwrap().is_empty());
}

#[test]
fn wrong_requests_are_refused() {
    let place = Place::new();
    let file = place.path("needs.toml");
    let file = file.to_str().unwrap();
    for (text, words) in [
        ("name = \"n\"\nnedes = 1\n", ":2:1: key `nedes`: unknown field"),
        (
            "name = \"n\"\n[[need]]\nwhat = \"watts\"\nat_least = 5\n[[need]]\nwhat = \"watts\"\nat_most = 4\n",
            "contradiction: watts at least 5 (line 3) and at most 4 (line 6)",
        ),
    ] {
        std::fs::write(file, text).unwrap();
        let (code, _, err) = place.run(&["recommend", "--need", file, "--records", RECORDS]);
        assert!(code == 2 && err.contains(words), "{err}");
    }
    for (asked, words) in [
        ("device=toaster", "toaster: no verified cell"),
        ("devise=cpu", "found \"devise\""),
        ("depth=deep", "expected a number"),
        ("model=warp:Q4_0", "warp"),
    ] {
        let (code, _, err) = recommend(&["--what-if", asked]);
        assert!(code == 2 && err.contains(words), "{asked}: {err}");
    }
}
