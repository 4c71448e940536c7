//! Formats against an independent engine's files: decoding bit for bit, encoding no worse, and the
//! same format for every tensor. Skipped where the golden files are absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use yardstick_model::quantize::{Mix, Network};
use yardstick_model::{Format, Gguf};

/// Encoding may be this much worse than the independent quantiser, as a ratio of errors.
const WORSE: f64 = 1.02;

/// `manifest.json`, as far as these tests read it.
#[derive(serde::Deserialize)]
struct Manifest {
    quant: Vec<Quantised>,
}

#[derive(serde::Deserialize)]
struct Quantised {
    /// `quant/Q4_K_M`
    name: String,
    /// The F32 file it was made from, relative to the folder.
    source: String,
    /// The quantised file.
    model: String,
    tensors: BTreeMap<String, Golden>,
}

#[derive(serde::Deserialize)]
struct Golden {
    /// GGUF's name of the format.
    r#type: String,
    /// GGUF order.
    shape: Vec<usize>,
    /// SHA-256 of the decoded tensor, little-endian f32.
    f32_sha256: String,
}

impl Quantised {
    fn mix(&self) -> Mix {
        let name = self.name.rsplit('/').next().expect("split has a first part");
        Mix::from_name(name).unwrap_or_else(|| panic!("no mix named {name}"))
    }

    fn network(&self) -> Network {
        let rows = |name: &str| self.tensors[name].shape[1];
        Network {
            layers: self.tensors.keys().filter(|name| name.ends_with("attn_q.weight")).count(),
            tied_head: !self.tensors.contains_key("output.weight"),
            experts: 0,
            heads_per_kv: rows("blk.0.attn_q.weight") / rows("blk.0.attn_k.weight"),
            ..Network::default()
        }
    }
}

/// The folder and its quantised files, or `None` after saying so.
fn golden() -> Option<(PathBuf, Vec<Quantised>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    let Ok(text) = std::fs::read_to_string(folder.join("manifest.json")) else {
        println!("skipped: no golden files at {}", folder.display());
        return None;
    };
    let manifest: Manifest = serde_json::from_str(&text).expect("the manifest's fields");
    assert!(!manifest.quant.is_empty());
    Some((folder, manifest.quant))
}

fn decode(file: &Gguf, name: &str) -> (Format, Vec<f32>) {
    let tensor = file.tensor(name).unwrap_or_else(|| panic!("no tensor {name}"));
    let mut out = vec![0.0; tensor.shape.iter().product()];
    tensor.format.decode(file.bytes(tensor), &mut out);
    (tensor.format, out)
}

fn sha256(values: &[f32]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Root of the mean squared difference.
fn rmse(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

#[test]
fn decodes_every_golden_tensor_bit_for_bit() {
    let Some((folder, files)) = golden() else { return };
    let mut seen = BTreeMap::<Format, usize>::new();
    for quantised in &files {
        let file = Gguf::open(&folder.join(&quantised.model)).unwrap();
        for (name, golden) in &quantised.tensors {
            let (format, values) = decode(&file, name);
            assert_eq!(format.name(), golden.r#type, "{} {name}", quantised.name);
            assert_eq!(sha256(&values), golden.f32_sha256, "{} {name} {format:?}", quantised.name);
            *seen.entry(format).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), Format::ALL.len(), "formats without a golden tensor: {seen:?}");
}

/// Both encoders of a format, by name; one for both where there is nothing to search.
fn encoders(format: Format, values: &[f32]) -> [(&'static str, Vec<u8>); 2] {
    let layout = format.layout();
    let mut fast = vec![0; format.row_bytes(values.len())];
    layout.encode.expect("every format can be written")(values, &mut fast);
    let mut best = fast.clone();
    if let Some(encode) = layout.best {
        encode(values, &vec![1.0; values.len()], &mut best);
    }
    [("fast", fast), ("best", best)]
}

/// Summed squared errors over all tensors of a format, and the worst ratio of one tensor.
#[derive(Default)]
struct Sum {
    ours: [f64; 2],
    theirs: f64,
    worst: [f64; 2],
}

#[test]
fn encodes_every_golden_tensor_no_worse_than_the_independent_quantiser() {
    let Some((folder, files)) = golden() else { return };
    let mut sums = BTreeMap::<Format, Sum>::new();
    for quantised in &files {
        let source = Gguf::open(&folder.join(&quantised.source)).unwrap();
        let file = Gguf::open(&folder.join(&quantised.model)).unwrap();
        for name in quantised.tensors.keys() {
            let (format, theirs) = decode(&file, name);
            let (_, exact) = decode(&source, name);
            let theirs = rmse(&theirs, &exact);
            let sum = sums.entry(format).or_default();
            sum.theirs += theirs * theirs;
            for (i, (effort, bytes)) in encoders(format, &exact).into_iter().enumerate() {
                let mut ours = vec![0.0; exact.len()];
                format.decode(&bytes, &mut ours);
                let ours = rmse(&ours, &exact);
                let ratio = if theirs > 0.0 { ours / theirs } else { 0.0 };
                sum.ours[i] += ours * ours;
                sum.worst[i] = sum.worst[i].max(ratio);
                let place = format!("{} {name} {format:?} {effort}", quantised.name);
                assert!(ours <= theirs * WORSE, "{place}: {ours:e}, theirs {theirs:e}");
            }
        }
    }
    println!("| format | fast: all tensors | worst | best: all tensors | worst |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (format, Sum { ours, theirs, worst }) in &sums {
        let all = ours.map(|ours| if *theirs > 0.0 { (ours / theirs).sqrt() } else { 0.0 });
        println!(
            "| {} | {:.4} | {:.4} | {:.4} | {:.4} |",
            format.name(),
            all[0],
            worst[0],
            all[1],
            worst[1]
        );
        assert!(all[1] <= all[0] * 1.0001, "{format:?}: the search is worse than the quick fit");
    }
    assert_eq!(sums.len(), Format::ALL.len(), "formats that were compared");
}

#[test]
fn unquantised_formats_encode_to_the_golden_bytes() {
    let Some((folder, files)) = golden() else { return };
    let plain = |q: &&Quantised| ["quant/F16", "quant/BF16"].contains(&q.name.as_str());
    for quantised in files.iter().filter(plain) {
        let source = Gguf::open(&folder.join(&quantised.source)).unwrap();
        let file = Gguf::open(&folder.join(&quantised.model)).unwrap();
        for name in quantised.tensors.keys() {
            let (_, exact) = decode(&source, name);
            let tensor = file.tensor(name).unwrap();
            let mut bytes = vec![0; tensor.format.row_bytes(exact.len())];
            tensor.format.layout().encode.unwrap()(&exact, &mut bytes);
            assert!(bytes == file.bytes(tensor), "{} {name}", quantised.name);
        }
    }
}

#[test]
fn chooses_the_golden_format_for_every_tensor_of_every_file() {
    let Some((_, files)) = golden() else { return };
    for quantised in &files {
        let (mix, network) = (quantised.mix(), quantised.network());
        for (name, golden) in &quantised.tensors {
            let chosen = mix.format_of(name, &golden.shape, &network);
            assert_eq!(
                chosen.name(),
                golden.r#type,
                "{} {name} {:?}",
                quantised.name,
                golden.shape
            );
        }
    }
}
