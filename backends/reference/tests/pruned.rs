//! Pruned models: what is removed counts for nothing. A model without some heads, channels and layers answers as the whole
//! one does with the output columns of those heads and channels, and all that those layers add, set to zero.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use yardstick_api::conformance::{Golden, golden};
use yardstick_api::verify::nmse;
use yardstick_api::{Backend, Batch, DeviceStatus, KvType, Options, Rows, Sequence, Span, Token};
use yardstick_model::prune::{Layers, Plan, Pruning, prune};
use yardstick_model::{Gguf, Model};
use yardstick_reference::Reference;

fn golden_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"))
}

fn logits(model: &Arc<Model>, tokens: &[Token]) -> Vec<f32> {
    let DeviceStatus::Ready(device) = Reference.devices().remove(0) else { panic!("a device") };
    let options = Options { context: Some(24), kv: KvType::F32, ..Options::default() };
    let mut session = Reference.load(&device, model, &options).unwrap();
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All }).unwrap();
    session.logits().unwrap().values.to_vec()
}

/// The source with everything that a plan removes set to zero where it would be added.
fn masked(model: &Model, plan: &Plan) -> Arc<Model> {
    let path = model.gguf().path();
    let mut bytes = std::fs::read(path).unwrap();
    let layers = &model.architecture().layers;
    for (i, layer) in layers.iter().enumerate() {
        let kept = plan.layers.iter().find(|kept| kept.from == i);
        let mut clear = |part: &str, gone: &dyn Fn(usize, usize) -> bool| {
            let Some(info) = model.gguf().tensor(&format!("blk.{i}.{part}")) else { return };
            let (cols, width) = (info.shape[0], info.format.row_bytes(1));
            assert_eq!(info.format.block_len(), 1, "{part}: the golden models are not quantised");
            for at in 0..info.weights() {
                if gone(at / cols, at % cols) {
                    bytes[info.offset + at * width..][..width].fill(0);
                }
            }
        };
        let group = layer.heads / layer.kv_heads * layer.value_dim;
        let no_head = |col: usize| kept.is_none_or(|kept| !kept.groups.contains(&(col / group)));
        clear("attn_output.weight", &|_, col| no_head(col));
        let d = model.architecture().embedding;
        let no_channel =
            |row: usize, col: usize| kept.is_none_or(|kept| !kept.channels[row / d].contains(&col));
        clear("ffn_down.weight", &|row, col| no_channel(row, col));
        clear("ffn_down_exps.weight", &|row, col| no_channel(row, col));
        for bias in ["attn_output.bias", "ffn_down.bias"] {
            clear(bias, &|_, _| kept.is_none());
        }
    }
    let gguf = Gguf::from_bytes("masked", bytes).unwrap();
    Arc::new(Model::from_gguf(gguf).unwrap())
}

#[test]
fn what_was_removed_counts_for_nothing_in_every_family() {
    let Golden::Cases(cases) = golden(golden_folder()) else {
        return println!("skipped: no golden answers");
    };
    let folder = tempfile::tempdir().unwrap();
    let plain = |model: &Model| {
        let mut matrices = model.info().formats.iter();
        matrices.all(|(format, _)| format.block_len() == 1)
    };
    let mut refused = Vec::new();
    for case in cases.iter().filter(|case| plain(&case.model)) {
        let last = case.model.architecture().layers.len() - 1;
        for (wish, layers) in [("parts", Layers::All), ("layers", Layers::Count(last))] {
            let halves = (wish == "parts").then_some(0.5);
            let pruning = Pruning { layers, heads: halves, ffn: halves };
            let plan = Plan::new(&case.model, &pruning, 2).unwrap();
            let out = folder.path().join(format!("{}-{wish}.gguf", case.name));
            match prune(&case.model, &plan, wish, &out, &mut |_| ControlFlow::Continue(())) {
                Ok(_) => {}
                Err(error) => {
                    refused.push(format!("{} {wish}: {error}", case.name));
                    continue;
                }
            }
            let pruned = Arc::new(Model::open(&out).unwrap());
            let answers = logits(&pruned, &case.tokens);
            let expected = logits(&masked(&case.model, &plan), &case.tokens);
            let apart = nmse(&answers, &expected, pruned.architecture().vocab);
            assert!(apart < 1e-10, "{} {wish}: {apart:e}", case.name);
            let whole = logits(&case.model, &case.tokens);
            let changed = nmse(&answers, &whole, pruned.architecture().vocab);
            let heads = case.model.architecture().layers.iter().any(|layer| layer.kv_heads > 1);
            assert!(changed > 1e-6 || (wish == "parts" && !heads), "{} {wish}", case.name);
        }
    }
    // Its fourth layers do not turn; without one of the others that would be another layer.
    let expected = |text: &String| text.starts_with("smollm3 layers: ");
    assert!(refused.iter().all(expected), "{refused:#?}");
}
