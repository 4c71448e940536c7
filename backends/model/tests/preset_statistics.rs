//! The weights of presets are spread as their table says: near-normal, with outliers, and all finite.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_model::{Model, Tensor};

fn tiny(name: &str) -> (tempfile::TempDir, Model) {
    let cache = tempfile::tempdir().unwrap();
    let preset = PresetRef::parse(&format!("{name}:F32")).unwrap();
    let made =
        preset::make(&preset, cache.path(), 2, Check::Size, &mut |_| ControlFlow::Continue(()));
    let model = Model::open(&made.unwrap().path).unwrap();
    (cache, model)
}

fn values(tensor: &Tensor<'_>) -> Vec<f64> {
    let mut out = vec![0.0; tensor.rows * tensor.cols];
    tensor.format.decode(tensor.bytes, &mut out);
    out.into_iter().map(f64::from).collect()
}

/// Mean, standard deviation, largest magnitude over deviation.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let largest = values.iter().fold(0.0_f64, |m, v| m.max((v - mean).abs()));
    (mean, deviation, largest / deviation)
}

#[test]
fn matrices_have_the_intended_deviation_and_no_wild_values() {
    let (_cache, model) = tiny("tiny");
    // Embedding 256, three layers, 4 heads of 64, inner width 512; deviations as src/preset/weights.rs derives them.
    let embedding = 2.5 / 16.0;
    let branch = |energy: f64, inputs: f64| embedding * (energy / 3.0 / inputs).sqrt();
    let cases = [
        ("output.weight", embedding),
        ("blk.0.attn_v.weight", 1.0 / 16.0),
        ("blk.2.ffn_gate.weight", 1.0 / 16.0),
        ("blk.1.attn_q.weight", 1.5 / 16.0),
        ("blk.1.attn_output.weight", branch(2.0 / 0.3, 256.0)),
        ("blk.1.ffn_down.weight", branch(1.0 / 0.36, 512.0)),
    ];
    for (name, expected) in cases {
        let (mean, deviation, largest) = moments(&values(&model.tensor(name).unwrap()));
        assert!(
            (deviation / expected - 1.0).abs() < 0.07,
            "{name}: {deviation}, expected {expected}"
        );
        assert!(mean.abs() < 0.02 * deviation, "{name}: mean {mean}");
        assert!((3.5..12.0).contains(&largest), "{name}: largest {largest} deviations");
    }
}

#[test]
fn a_few_channels_of_the_embedding_carry_a_large_constant_that_the_norms_damp() {
    let (_cache, model) = tiny("tiny");
    let tensor = model.tensor("token_embd.weight").unwrap();
    let values = values(&tensor);
    let mean = |c: usize| {
        (0..tensor.rows).map(|r| values[r * tensor.cols + c]).sum::<f64>() / tensor.rows as f64
    };
    let outliers: Vec<usize> = (0..tensor.cols).filter(|&c| mean(c).abs() > 0.5).collect();
    assert_eq!(outliers.len(), 3, "{outliers:?}");
    for name in ["blk.0.attn_norm.weight", "blk.2.ffn_norm.weight", "output_norm.weight"] {
        for (channel, weight) in model.vector(name).unwrap().into_iter().enumerate() {
            let range = if outliers.contains(&channel) { 0.2..0.6 } else { 0.6..1.4 };
            assert!(range.contains(&weight), "{name}[{channel}] = {weight}");
        }
    }
}

#[test]
fn the_final_norm_of_a_tied_head_has_mixed_signs_and_biases_are_there() {
    let (_cache, model) = tiny("tiny-qwen2");
    let norm = model.vector("output_norm.weight").unwrap();
    let negative = norm.iter().filter(|w| **w < 0.0).count();
    assert!(
        (norm.len() / 3..norm.len() * 2 / 3).contains(&negative),
        "{negative} of {}",
        norm.len()
    );
    for (name, expected) in
        [("blk.0.attn_q.bias", 0.6), ("blk.0.attn_k.bias", 1.1), ("blk.1.attn_v.bias", 0.1)]
    {
        let (_, deviation, _) = moments(&values(&model.tensor(name).unwrap()));
        assert!((deviation / expected - 1.0).abs() < 0.25, "{name}: {deviation}");
    }
}

#[test]
fn every_row_and_every_tensor_is_its_own() {
    let (_cache, model) = tiny("tiny");
    let rows = |name: &str| {
        let tensor = model.tensor(name).unwrap();
        (0..tensor.rows).map(|row| tensor.row(row).to_vec()).collect::<Vec<_>>()
    };
    let mut all =
        [rows("blk.0.ffn_up.weight"), rows("blk.0.ffn_gate.weight"), rows("blk.1.ffn_up.weight")]
            .concat();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}
