//! Pruning: what stays keeps its bytes, what does not divide is rounded and said, what cannot be is refused by name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_model::prune::{Error, Layers, Plan, Pruned, Pruning, prune, zero};
use yardstick_model::{Model, Tensor};

fn tiny(name: &str, cache: &Path) -> PathBuf {
    let preset = PresetRef::parse(name).unwrap();
    preset::make(&preset, cache, 2, Check::Size, &mut |_| ControlFlow::Continue(())).unwrap().path
}

fn run(model: &Model, pruning: &Pruning, out: &Path) -> Result<(Plan, Pruned), Error> {
    let plan = Plan::new(model, pruning, 2)?;
    let pruned = prune(model, &plan, "a test", out, &mut |_| ControlFlow::Continue(()))?;
    Ok((plan, pruned))
}

fn decoded(tensor: Tensor<'_>) -> Vec<f32> {
    let mut values = vec![0.0; tensor.rows * tensor.cols];
    tensor.format.decode(tensor.bytes, &mut values);
    values
}

#[test]
fn every_format_is_pruned_in_whole_blocks_and_what_stays_keeps_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tiny:F16", "tiny:Q8_0", "tiny:Q4_0", "tiny:Q4_K_M", "tiny-qwen2:Q5_0"] {
        let source = Model::open(&tiny(name, folder.path())).unwrap();
        let out = folder.path().join("out.gguf");
        let pruning = Pruning { layers: Layers::Count(1), heads: Some(0.5), ffn: Some(0.4) };
        let (plan, pruned) = run(&source, &pruning, &out).unwrap();
        let model = Model::open(&out).unwrap();
        let layer = &model.architecture().layers[0];
        let of = source.architecture().layers.last().unwrap();
        let kept = &plan.layers[0];
        assert_eq!(kept.from, source.architecture().layers.len() - 1, "{name}");
        // Of a block that spans several heads, all stay or go.
        let output = source.tensor("blk.0.attn_output.weight").unwrap().format.block_len();
        let wide = output > of.heads / of.kv_heads * of.value_dim;
        let by = if wide { 1 } else { 2 };
        let groups = (of.kv_heads / by).max(1);
        let heads = of.heads / of.kv_heads * groups;
        assert_eq!((layer.heads, layer.kv_heads), (heads, groups), "{name}");
        let note = "key and value heads: 0.5 of 2 is 1.00, rounded to steps of 2";
        assert_eq!(plan.notes.iter().any(|n| n.starts_with(note)), wide, "{:?}", plan.notes);
        assert_eq!(layer.ffn.width, kept.channels[0].len());
        assert_eq!(
            (pruned.sha256, pruned.bytes),
            (model.sha256().unwrap(), model.info().file_bytes)
        );
        assert_eq!(pruned.parameters, model.info().parameters);
        assert_eq!(model.gguf().display("yardstick.pruned").unwrap(), "a test");
        assert!(model.info().name.ends_with(" pruned"), "{}", model.info().name);

        let down = |model: &Model, layer| {
            let tensor = model.tensor(&format!("blk.{layer}.ffn_down.weight")).unwrap();
            (tensor.format, tensor.cols, decoded(tensor))
        };
        let (format, width, now) = down(&model, 0);
        let (same, cols, before) = down(&source, kept.from);
        assert_eq!(format, same, "{name}");
        assert_eq!(width % format.block_len(), 0, "{name}");
        let expected: Vec<f32> = before
            .chunks(cols)
            .flat_map(|row| kept.channels[0].iter().map(|&channel| row[channel]))
            .collect();
        assert!(now == expected, "{name}: the same weights, not one encoded anew");
        assert_eq!(
            plan.notes.iter().any(|note| note.contains("channels: 0.4 of")),
            width * 10 != of.ffn.width * 4
        );
    }
}

#[test]
fn the_heads_and_channels_that_go_are_the_smallest() {
    let folder = tempfile::tempdir().unwrap();
    let source = Model::open(&tiny("tiny:F32", folder.path())).unwrap();
    let pruning = Pruning { heads: Some(0.5), ffn: Some(0.25), ..Pruning::default() };
    let plan = Plan::new(&source, &pruning, 1).unwrap();
    assert_eq!(plan, Plan::new(&source, &pruning, 7).unwrap(), "threads change nothing");
    for kept in &plan.layers {
        let norms = |part: &str, by_row: bool| -> Vec<f64> {
            let tensor = source.tensor(&format!("blk.{}.{part}", kept.from)).unwrap();
            let values = decoded(tensor);
            let square =
                |row: usize, col: usize| f64::from(values[row * tensor.cols + col]).powi(2);
            match by_row {
                true => (0..tensor.rows)
                    .map(|r| (0..tensor.cols).map(|c| square(r, c)).sum::<f64>().sqrt())
                    .collect(),
                false => (0..tensor.cols)
                    .map(|c| (0..tensor.rows).map(|r| square(r, c)).sum::<f64>().sqrt())
                    .collect(),
            }
        };
        let (gate, up) = (norms("ffn_gate.weight", true), norms("ffn_up.weight", true));
        let down = norms("ffn_down.weight", false);
        let score = |i: usize| gate[i] * up[i] * down[i];
        let least = kept.channels[0].iter().map(|&i| score(i)).fold(f64::INFINITY, f64::min);
        let gone = (0..down.len()).filter(|i| !kept.channels[0].contains(i));
        assert!(gone.map(score).all(|s| s <= least), "layer {}", kept.from);
        assert_eq!(kept.channels[0].len(), down.len() / 4);
        let layer = &source.architecture().layers[kept.from];
        let group = layer.heads / layer.kv_heads * layer.value_dim;
        let columns = norms("attn_output.weight", false);
        let head = |i: usize| columns[i * group..][..group].iter().map(|n| n * n).sum::<f64>();
        let least = kept.groups.iter().map(|&i| head(i)).fold(f64::INFINITY, f64::min);
        let mut gone = (0..layer.kv_heads).filter(|i| !kept.groups.contains(i));
        assert!(gone.all(|i| head(i) <= least), "layer {}", kept.from);
    }
}

#[test]
fn zeros_are_zeros_and_everything_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    for (name, moves) in
        [("tiny:F32", false), ("tiny:F16", false), ("tiny:Q8_0", false), ("tiny:Q4_0", true)]
    {
        let source = Model::open(&tiny(name, folder.path())).unwrap();
        let out = folder.path().join("zeros.gguf");
        let mut go = |_| ControlFlow::Continue(());
        let done = zero(&source, &out, 0.5, 3, &mut go).unwrap();
        let model = Model::open(&out).unwrap();
        assert_eq!(done.sha256, model.sha256().unwrap());
        for tensor in source.gguf().tensors() {
            let (before, now) =
                (source.tensor(&tensor.name).unwrap(), model.tensor(&tensor.name).unwrap());
            assert_eq!((before.format, before.cols), (now.format, now.cols));
            if !tensor.name.starts_with("blk.") || tensor.shape.len() == 1 {
                assert!(before.bytes == now.bytes, "{name} {}", tensor.name);
                continue;
            }
            let zeros = decoded(now).iter().filter(|&&v| v == 0.0).count();
            assert!(2 * zeros >= tensor.weights(), "{name} {}: {zeros}", tensor.name);
        }
        assert!(2 * done.zeros >= done.weights && done.zeros_before < done.zeros, "{done:?}");
        assert!(done.moved < if moves { 0.2 } else { 1e-6 }, "{name}: {done:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = Model::open(&tiny("tiny:F16", folder.path())).unwrap();
    let out = folder.path().join("out.gguf");
    let share = |heads, ffn| Pruning { heads, ffn, ..Pruning::default() };
    for (pruning, words) in [
        (share(Some(0.0), None), "heads: found 0, expected the share that stays"),
        (share(None, Some(1.5)), "ffn: found 1.5"),
        (Pruning { layers: Layers::Count(99), ..Pruning::default() }, "layers: found 99"),
    ] {
        let message = run(&source, &pruning, &out).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let mut go = |_| ControlFlow::Continue(());
    let error = zero(&source, &out, 1.0, 1, &mut go).unwrap_err().to_string();
    assert!(error.contains("zeros: found 1, expected the share of zeros"), "{error}");
    let itself = source.gguf().path().to_owned();
    let error = run(&source, &share(None, Some(0.5)), &itself).unwrap_err().to_string();
    assert!(error.contains("source and destination are the same file"), "{error}");
    let plan = Plan::new(&source, &share(None, Some(0.5)), 1).unwrap();
    let error = prune(&source, &plan, "", &out, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(error.to_string().contains("stopped on request"), "{error}");
    assert!(!out.exists());
}
