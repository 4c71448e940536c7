//! Operations per token against counts by hand.

use std::path::Path;

use yardstick_model::Model;

#[path = "hostile/build.rs"]
#[allow(dead_code, reason = "the hostile cases use the rest")]
mod build;

#[test]
fn operations_per_token_are_weights_head_and_attended_positions() {
    let file = build::llama();
    let model = Model::from_gguf(
        yardstick_model::Gguf::from_bytes("memory", file.bytes()).expect("a llama"),
    )
    .expect("a llama");
    let architecture = model.architecture();
    let layer = &architecture.layers[0];
    let (e, layers) = (architecture.embedding, architecture.layers.len());
    let heads = layer.heads * layer.key_dim;
    let keys = layer.kv_heads * (layer.key_dim + layer.value_dim);
    let width = model.tensor("blk.0.ffn_up.weight").expect("an FFN").rows;
    let weights = layers * (2 * heads * e + keys * e + 3 * width * e);
    let head = architecture.vocab * e;
    let attended = |positions: f64| layers as f64 * (2 * heads) as f64 * positions;
    for (tokens, depth, positions) in [(1, 0, 1.0), (4, 0, 2.5), (4, 100, 102.5)] {
        let expected = 2.0 * (weights as f64 + head as f64 / tokens as f64 + attended(positions));
        assert_eq!(
            model.architecture().operations_per_token(tokens, depth),
            expected,
            "{tokens} at {depth}"
        );
    }
}

#[test]
fn a_model_with_windows_reads_fewer_positions_than_it_holds() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    let Ok(model) = Model::open(&Path::new(golden).join("arch/gemma2.gguf")) else {
        return println!("skipped: no golden model with windows");
    };
    let layers = &model.architecture().layers;
    let windowed = layers.iter().filter(|layer| layer.window.is_some()).count();
    assert!(0 < windowed && windowed < layers.len(), "this model alternates");
    let window = layers.iter().find_map(|layer| layer.window).expect("a window") as f64;
    let (depth, share) = (10 * window as usize, windowed as f64 / layers.len() as f64);
    let expected = share * window + (1.0 - share) * (depth + 1) as f64;
    assert!((model.architecture().positions_read(1, depth) - expected).abs() < 1e-9 * expected);
}

#[test]
fn experts_count_as_far_as_they_are_used() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    let Ok(model) = Model::open(&Path::new(golden).join("arch/llama-moe.gguf")) else {
        return println!("skipped: no golden model with experts");
    };
    let number = |key: &str| model.gguf().unsigned(key).ok().flatten().expect("a mixture") as f64;
    let used = number("llama.expert_used_count") / number("llama.expert_count");
    assert!(used < 1.0);
    let layers = model.gguf().tensors().iter().filter(|tensor| tensor.name.starts_with("blk."));
    let weights: f64 = layers
        .map(|tensor| match tensor.shape.len() {
            1 => 0.0,
            2 => tensor.weights() as f64,
            _ => tensor.weights() as f64 * used,
        })
        .sum();
    let architecture = model.architecture();
    let head = (architecture.vocab * architecture.embedding) as f64;
    let widths =
        |layer: &yardstick_model::arch::Layer| layer.heads * (layer.key_dim + layer.value_dim);
    let attended: usize = architecture.layers.iter().map(widths).sum();
    assert_eq!(architecture.operations_per_token(1, 0), 2.0 * (weights + head + attended as f64));
}
