//! Files of an independent engine open, and say what that engine's manifest says.
//!
//! The files live beside the checkout; without them these tests say so and pass.

use std::path::{Path, PathBuf};

use serde_json::Value;
use yardstick_model::arch::{Experts, Factors, Gate, QkNorm, Requirement, RotaryStyle};
use yardstick_model::gguf::Header;
use yardstick_model::{Gguf, Model};

fn golden() -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"));
    if path.is_dir() {
        return Some(path.to_owned());
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("golden folder")
        .map(|entry| entry.expect("golden entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "gguf"))
        .collect();
    files.sort();
    files
}

#[test]
fn opens_every_model_of_a_supported_family() {
    let Some(golden) = golden() else { return };
    let arch = files(&golden.join("arch")).into_iter();
    let quantised = ["quant", "quant-fallback"].iter().flat_map(|f| files(&golden.join(f)));
    let mut opened = 0;
    for path in arch.chain(quantised) {
        let model = Model::open(&path).unwrap_or_else(|e| panic!("{e}"));
        assert!(model.gguf().warnings().is_empty(), "{path:?}: {:?}", model.gguf().warnings());
        assert_eq!(model.architecture().tensors().len(), model.gguf().tensors().len());
        model.check_unchanged().unwrap();
        opened += 1;
    }
    assert!(opened > 25, "only {opened} files");
}

#[test]
fn tensors_have_the_formats_and_shapes_of_the_manifest() {
    let Some(golden) = golden() else { return };
    let text = std::fs::read_to_string(golden.join("manifest.json")).expect("manifest");
    let manifest: Value = serde_json::from_str(&text).expect("manifest is JSON");
    let mut compared = 0;
    for file in manifest["quant"].as_array().expect("a list of quantised files") {
        let model = file["model"].as_str().expect("a file name");
        let gguf = Gguf::open(&golden.join(model)).unwrap();
        for (name, entry) in file["tensors"].as_object().expect("tensors by name") {
            let tensor = gguf.tensor(name).unwrap_or_else(|| panic!("{model} lacks {name}"));
            assert_eq!(tensor.format.name(), entry["type"].as_str().unwrap(), "{model} {name}");
            assert_eq!(serde_json::json!(tensor.shape), entry["shape"], "{model} {name}");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} tensors compared");
}

#[test]
fn architectures_are_read_as_their_files_say() {
    let Some(golden) = golden() else { return };
    let open = |name: &str| Model::open(&golden.join(format!("arch/{name}.gguf"))).unwrap();
    let llama = open("llama");
    let arch = llama.architecture();
    assert_eq!((arch.vocab, arch.embedding, arch.context), (288, 64, 512));
    assert_eq!((arch.layers.len(), arch.tied_head), (2, true));
    assert_eq!(arch.rotary[0].style, RotaryStyle::Interleaved);
    assert_eq!((arch.layers[1].heads, arch.layers[1].kv_heads), (4, 2));
    assert_eq!(llama.info().quantisation, "F32");
    let moe = open("llama-moe");
    let expected = Experts { count: 4, used: 2, normalised: true, scale: 1.0, shared: None };
    assert_eq!(moe.architecture().layers[0].ffn.experts, Some(expected));
    // Two of four experts of three matrices in each of two layers are not read; nor is the embedding.
    let experts = 3 * 2 * (64 * 128 * 4) * 4u64;
    let embedding = 288 * 64 * 4;
    assert_eq!(moe.info().streamed_bytes, moe.info().tensor_bytes - experts / 2 - embedding);
    let qwen2 = open("qwen2");
    assert_eq!(qwen2.architecture().rotary[0].style, RotaryStyle::Halves);
    assert!(qwen2.architecture().layers.iter().all(|l| l.qkv_bias));
    let rope = open("llama3-rope");
    let factors = rope.architecture().rotary[0].factors.of(1).unwrap();
    assert_eq!(factors.len(), 8);
    assert!(factors.iter().all(|f| *f >= 1.0) && factors.iter().any(|f| *f > 1.0), "{factors:?}");
    assert!(!open("llama-untied").architecture().tied_head);
    assert_eq!(open("mqa").architecture().layers[0].kv_heads, 1);
}

#[test]
fn every_family_is_told_apart_by_its_description() {
    use Requirement as R;
    let Some(golden) = golden() else { return };
    let open = |name: &str| Model::open(&golden.join(format!("arch/{name}.gguf"))).unwrap();
    let cases: &[(&str, &[Requirement])] = &[
        ("llama", &[R::RotaryNeighbours]),
        ("qwen3", &[R::RotaryHalves, R::HeadNorm]),
        ("qwen3moe", &[R::RotaryHalves, R::HeadNorm, R::Experts]),
        (
            "gemma2",
            &[
                R::RotaryHalves,
                R::PostNorms,
                R::Gelu,
                R::Window,
                R::ScoreSoftcap,
                R::LogitSoftcap,
                R::Scales,
            ],
        ),
        (
            "gemma3",
            &[
                R::RotaryHalves,
                R::SeveralRotaries,
                R::PostNorms,
                R::HeadNorm,
                R::Gelu,
                R::Window,
                R::Scales,
            ],
        ),
        (
            "phi3-rope-long",
            &[
                R::RotaryHalves,
                R::RotaryFactorsByContext,
                R::RotaryMagnitude,
                R::FusedQkv,
                R::FusedGate,
            ],
        ),
        ("stablelm", &[R::RotaryHalves, R::PartialRotary, R::LayerNorm, R::QkvBias]),
        (
            "stablelm-parallel",
            &[R::RotaryHalves, R::PartialRotary, R::LayerNorm, R::EachHeadNorm, R::ParallelBlocks],
        ),
        (
            "gpt2",
            &[
                R::LearnedPositions,
                R::LayerNorm,
                R::QkvBias,
                R::OtherBias,
                R::FusedQkv,
                R::PlainFfn,
                R::Gelu,
            ],
        ),
        ("openelm", &[R::RotaryHalves, R::HeadNorm, R::FusedQkv, R::UnequalLayers]),
        ("granite", &[R::RotaryNeighbours, R::Scales]),
        ("smollm3", &[R::RotaryNeighbours, R::LayersWithoutRotary]),
    ];
    for (name, expected) in cases {
        let model = open(name);
        let found = model.architecture().requirements();
        assert_eq!(found, *expected, "{name}");
        let all: Vec<Requirement> = Requirement::all().collect();
        assert_eq!(model.architecture().missing(&all), None);
        let message = model.architecture().missing(&[]).unwrap();
        assert!(message.contains(&expected[0].to_string()), "{message}");
    }
    let gemma3 = open("gemma3");
    let windows: Vec<bool> =
        gemma3.architecture().layers.iter().map(|layer| layer.window == Some(8)).collect();
    assert_eq!(windows, [true, true, true, true, true, false]);
    let bases: Vec<f32> = gemma3.architecture().rotary.iter().map(|rotary| rotary.base).collect();
    assert_eq!(bases, [1e6, 1e4]);
    let openelm = open("openelm");
    let layer = &openelm.architecture().layers[1];
    assert_eq!((layer.heads, layer.kv_heads, layer.ffn.width), (4, 2, 160));
    assert_eq!(layer.qk_norm, Some(QkNorm::Head));
    let phi3 = open("phi3-rope-short");
    assert_eq!(phi3.architecture().layers[0].ffn.gate, Gate::Fused);
    let factors = &phi3.architecture().rotary[0].factors;
    assert!(matches!(factors, Factors::ByContext { .. }));
    assert_ne!(factors.of(1), factors.of(1 << 30));
}

#[test]
fn rewriting_a_file_gives_the_same_bytes() {
    let Some(golden) = golden() else { return };
    for name in ["arch/llama-moe", "quant/Q4_K_M", "quant-fallback/Q3_K_M"] {
        let path = golden.join(format!("{name}.gguf"));
        let gguf = Gguf::open(&path).unwrap();
        let mut header = Header::new("copy");
        header.copy_metadata(&gguf);
        for t in gguf.tensors() {
            header.tensor(&t.name, t.format, &t.shape).unwrap();
        }
        let mut data = header.start(Vec::new()).unwrap();
        for t in gguf.tensors() {
            gguf.bytes(t).chunks(1000).for_each(|piece| data.write(piece).unwrap());
        }
        assert!(data.finish().unwrap() == std::fs::read(&path).unwrap(), "{name} differs");
    }
}

#[test]
fn vocabularies_without_tensors_are_files_but_not_models() {
    let Some(golden) = golden() else { return };
    for path in files(&golden.join("vocab")) {
        let gguf = Gguf::open(&path).unwrap_or_else(|e| panic!("{e}"));
        assert!(gguf.tensors().is_empty());
        let summary = serde_json::to_string(&gguf.summary()).unwrap();
        assert!(summary.len() < 64 << 10, "{path:?}: a summary of {} bytes", summary.len());
        assert!(Model::from_gguf(gguf).is_err());
    }
}

#[test]
fn a_scan_of_sound_models_finds_nothing() {
    let Some(golden) = golden() else { return };
    for path in files(&golden.join("quant")) {
        let gguf = Gguf::open(&path).unwrap();
        for tensor in gguf.tensors() {
            let found = yardstick_model::gguf::scan(&gguf, tensor);
            assert!(found.is_clean(), "{path:?} {}: {found:?}", tensor.name);
            assert_eq!(found.weights, tensor.weights() as u64);
        }
    }
}

#[test]
fn a_hash_is_that_of_the_bytes() {
    use sha2::{Digest, Sha256};
    let Some(golden) = golden() else { return };
    let path = golden.join("arch/llama.gguf");
    let digest = Sha256::digest(std::fs::read(&path).unwrap());
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(Model::open(&path).unwrap().sha256().unwrap(), hex);
}
