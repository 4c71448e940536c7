//! Every file that the quantiser writes is one that llama.cpp loads and decodes to the same weights: its logits
//! beside those of the reference. Skipped where Python has no llama-cpp-python.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;

use support::Place;

/// The most llama.cpp's answers may be away from exact ones, as normalised mean squared error: its f32 kernels
/// are at 6e-7, f16 weights meet f16 activations, bf16 weights bf16 ones, quantised weights activations of 8 bits
/// (6e-4 to 1.3e-3 on the golden files). A format decoded wrongly is off by tenths.
const TYPES: [(&str, f64); 19] = [
    ("F32", 1e-5),
    ("F16", 1e-4),
    ("BF16", 1e-3),
    ("Q4_0", 3e-3),
    ("Q4_1", 3e-3),
    ("Q5_0", 3e-3),
    ("Q5_1", 3e-3),
    ("Q8_0", 3e-3),
    ("Q2_K", 3e-3),
    ("Q3_K_S", 3e-3),
    ("Q3_K_M", 3e-3),
    ("Q3_K_L", 3e-3),
    ("Q4_K_S", 3e-3),
    ("Q4_K_M", 3e-3),
    ("Q5_K_S", 3e-3),
    ("Q5_K_M", 3e-3),
    ("Q6_K", 3e-3),
    ("IQ4_NL", 3e-3),
    ("Q3_K", 3e-3),
];

/// The Python that the binary would use, if it has llama.cpp.
fn python() -> Option<String> {
    let python = std::env::var("YARDSTICK_PYTHON").unwrap_or_else(|_| "python3".into());
    let loads = Command::new(&python).args(["-c", "import llama_cpp, numpy"]).output();
    if loads.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    println!("skipped: {python} has no llama_cpp; name one that has it in YARDSTICK_PYTHON");
    None
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn logits(place: &Place, python: &str, model: &str, device: &str) -> Vec<f32> {
    let tokens: Vec<String> = (0..24).map(|i| (i * 37 % 500 + 3).to_string()).collect();
    let out = place.path("logits");
    let flags =
        ["--tokens", &tokens.join(","), "--device", device, "--kv", "f32", "--python", python];
    let (code, _, err) = place
        .run(&[&["model", "logits", model, "--out", out.to_str().unwrap()][..], &flags].concat());
    assert_eq!(code, 0, "{model} on {device}: {err}");
    floats(&out)
}

/// Mean squared difference over the variance of what is right.
fn nmse(right: &[f32], other: &[f32]) -> f64 {
    assert_eq!(right.len(), other.len());
    let mean = right.iter().map(|&x| f64::from(x)).sum::<f64>() / right.len() as f64;
    let off: f64 = right.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    off / right.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>()
}

/// How far llama.cpp's answers are from the reference's, for every type of one source.
fn errors(python: &str, preset: &str) -> Vec<f64> {
    let place = Place::new();
    let (code, out, err) = place.run(&["model", "make", preset]);
    assert_eq!(code, 0, "{err}");
    let source = out.split_whitespace().nth(2).unwrap();
    let file = place.path("q.gguf").display().to_string();
    let error = |(name, limit): (&str, f64)| {
        let (code, _, err) = place.run(&["model", "quantize", source, &file, name]);
        assert_eq!(code, 0, "{name}: {err}");
        let right = logits(&place, python, &file, "reference");
        let error = nmse(&right, &logits(&place, python, &file, "llama.cpp"));
        assert!(error <= limit, "{name} of {preset}: {error:e}, at most {limit:e}");
        error
    };
    TYPES.map(error).to_vec()
}

#[test]
fn every_type_loads_in_llama_cpp_and_gives_the_references_logits() {
    let Some(python) = python() else { return };
    // Rows of whole super-blocks, and rows that make K formats fall back.
    let both = std::thread::scope(|scope| {
        let started =
            ["tiny:F32", "tiny-qwen2:F32"].map(|preset| scope.spawn(|| errors(&python, preset)));
        started.map(|thread| thread.join().unwrap())
    });
    println!("| type | tiny | tiny-qwen2 |");
    println!("| --- | ---: | ---: |");
    for (i, (name, _)) in TYPES.iter().enumerate() {
        println!("| {name} | {:.1e} | {:.1e} |", both[0][i], both[1][i]);
    }
}
