//! `model logits`: answers of every device against the independent engine's.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::Place;

fn golden() -> Option<&'static Path> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"));
    if !path.join("manifest.json").exists() {
        eprintln!("skipped: no ../shared/golden beside the checkout");
        return None;
    }
    Some(path)
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn logits_are_those_of_the_independent_engine_in_one_batch_and_step_by_step() {
    let Some(golden) = golden() else { return };
    let place = Place::new();
    let manifest = std::fs::read_to_string(golden.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let case =
        manifest["arch"].as_array().unwrap().iter().find(|case| case["name"] == "qwen2").unwrap();
    let tokens: Vec<String> =
        case["tokens"].as_array().unwrap().iter().map(ToString::to_string).collect();
    let tolerance = case["tolerance_abs"].as_f64().unwrap() as f32;
    let expected = floats(&golden.join(case["logits"].as_str().unwrap()));
    let model = golden.join(case["model"].as_str().unwrap());
    let out = place.path("logits.f32");
    for device in ["reference", "cpu:scalar", "cpu"] {
        for step in [&[][..], &["--step"]] {
            let (model, out) = (model.to_str().unwrap(), out.to_str().unwrap());
            let fixed = ["model", "logits", model, "--device", device, "--kv", "f32", "--out", out];
            let (code, _, err) =
                place.run(&[&fixed[..], &["--tokens", &tokens.join(",")], step].concat());
            assert_eq!(code, 0, "{err}");
            let actual = floats(Path::new(out));
            assert_eq!(actual.len(), expected.len());
            let worst =
                actual.iter().zip(&expected).map(|(a, e)| (a - e).abs()).fold(0.0, f32::max);
            assert!(worst <= tolerance, "{device} {step:?}: off by {worst}");
        }
    }
}

#[test]
fn wrong_tokens_devices_and_models_are_named() {
    let place = Place::new();
    let out = place.path("x").display().to_string();
    let cases = [
        (["tiny:Q4_0", "--tokens", "1,999999", "--device", "cpu"], "999999"),
        (["tiny:Q4_0", "--tokens", "1", "--device", "cpu:sse9"], "cpu:sse9"),
        (["nothing.gguf", "--tokens", "1", "--device", "cpu"], "nothing.gguf"),
    ];
    for (arguments, word) in cases {
        let (code, _, err) =
            place.run(&[&["model", "logits", "--out", &out], &arguments[..]].concat());
        assert!(code == 2 && err.contains(word), "{code}: {err}");
    }
}

#[test]
fn a_quantised_file_can_be_inspected_scanned_and_run() {
    let Some(golden) = golden() else { return };
    let place = Place::new();
    let out = place.path("q.gguf").display().to_string();
    let source = golden.join("quant/F32.gguf").display().to_string();
    let (code, text, err) = place.run(&["model", "quantize", &source, &out, "Q4_K_M"]);
    assert!(code == 0 && text.contains(&out), "{text}{err}");
    let (code, text, err) = place.run(&["model", "inspect", &out, "--scan"]);
    assert!(code == 0 && text.contains("all finite") && text.contains("Q6_K"), "{text}{err}");
    let (code, _, err) = place.run(&["model", "quantize", &out, &source, "Q4_0"]);
    assert!(code == 2, "wrote over a source: {err}");
    let (code, _, err) = place.run(&["run", "-m", &out, "-d", "cpu:*", "--verify-only"]);
    assert_eq!(code, 0, "{err}");
}
