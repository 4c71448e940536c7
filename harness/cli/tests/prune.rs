//! `model prune`, `claims` and KV sweeps as commands: what is written runs, what is shown is measured.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{Place, SHORT};

#[test]
fn a_pruned_model_runs_verified_on_both_devices_and_says_what_went() {
    let place = Place::new();
    let out = place.path("small.gguf");
    let file = out.to_str().unwrap();
    let prune =
        ["model", "prune", "tiny:Q8_0", file, "--layers", "1", "--heads", "0.5", "--ffn", "0.5"];
    let (code, said, err) = place.run(&prune);
    assert_eq!(code, 0, "{err}");
    assert!(said.contains("removed layers ") && said.contains("feed-forward channels"), "{said}");
    assert!(said.contains("% of the source"), "{said}");
    let run = ["-m", file, "-d", "cpu,reference", "-t", "pp8", "--kv", "f32,f16,q8_0"];
    let (code, records, err) = place.records(&[&run[..], &SHORT[..]].concat());
    assert_eq!((code, records.len()), (0, 6), "{err}");
    let (_, wide, _) =
        support::ended(place.yardstick().env("COLUMNS", "200").arg("report").output().unwrap());
    assert!(wide.contains("KV cache") && wide.contains("q8_0"), "{wide}");
    let (_, csv, _) = place.run(&["report", "--format", "csv"]);
    assert!(csv.lines().next().unwrap().contains("kv_bytes"), "{csv}");
    for (arguments, words) in [
        (&["--layers", "9"][..], "layers: found 9"),
        (&["--heads", "0"], "heads: found 0"),
        (&["--keep-layers", "1-"], "as in 0-7,12"),
        (&[], "--zeros <SHARE>"),
        (&["--zeros", "0.5", "--ffn", "0.5"], "cannot be used with"),
        (&["--ffn", "0.5", "--measure"], "cannot be used with"),
    ] {
        let other = place.path("other.gguf");
        let start = ["model", "prune", "tiny:Q8_0", other.to_str().unwrap()];
        let (code, _, err) = place.run(&[&start[..], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.contains(words), "{arguments:?}: {err}");
        assert!(!other.exists());
    }
}

#[test]
fn zeros_keep_the_size_and_models_are_compared_launch_by_launch() {
    let place = Place::new();
    let out = place.path("zeros.gguf");
    let file = out.to_str().unwrap();
    let (code, said, err) = place.run(&["model", "prune", "tiny:Q8_0", file, "--zeros", "0.5"]);
    assert_eq!(code, 0, "{err}");
    assert!(said.contains("% of their weights are zero now"), "{said}");
    let run = ["run", "-m", "tiny:Q8_0", "-m", file, "-d", "cpu", "-t", "pp8", "--launches", "3"];
    let (code, _, err) = place.run(&[&run[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    let (code, said, err) = place.run(&["report", "--baseline", "tiny:Q8_0"]);
    assert_eq!(code, 0, "{err}");
    assert!(said.contains("tiny:Q8_0 pp8, against cpu:") && said.contains("3 pairs"), "{said}");
    let (code, _, err) = place.run(&["report", "--baseline", "other"]);
    assert!(code == 2 && err.contains("nor of the models: tiny:Q8_0"), "{err}");
}

#[test]
fn claims_have_a_verdict_each() {
    let place = Place::new();
    let (code, said, err) = place.run(&["claims"]);
    assert_eq!(code, 0, "{err}");
    assert!(said.contains("verdict   true") && said.contains("verdict   not here: "), "{said}");
    let (_, json, _) = place.run(&["claims", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["claims"][0]["id"], "16-bit-half");
    assert_eq!(json["claims"][0]["verdict"]["verdict"], "true");
    let bad = place.path("bad.toml");
    std::fs::write(&bad, "name = 1\n").unwrap();
    let (code, _, err) = place.run(&["claims", bad.to_str().unwrap()]);
    assert!(code == 2 && err.contains("bad.toml:1:8"), "{err}");
}
