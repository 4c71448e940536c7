//! Checkpoints of transformers, converted, against the logits transformers computes.
//!
//! backends/model/tests/hf/make.py writes them (it needs torch); YARDSTICK_HF_MODELS names their folder.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yardstick_api::{
    Backend, Batch, DeviceStatus, KvType, Options, Rows, Sequence, Span, Token, verify,
};
use yardstick_model::convert::{Converting, convert};
use yardstick_model::tokenizer::{Encoding, Tokenizer};
use yardstick_model::{Gguf, Model};
use yardstick_reference::Reference;

/// The class of exact arithmetic.
const LIMIT: f64 = 1e-6;

#[test]
fn a_converted_checkpoint_gives_the_logits_of_transformers() {
    let Some(folders) = folders() else { return };
    let place = tempfile::tempdir().expect("a folder");
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for folder in folders {
        let name = folder.file_name().expect("a folder's name").to_string_lossy().into_owned();
        let wanted = read_floats(&folder.join("logits.f32"));
        let tokens: Vec<Token> = read_json(&folder.join("tokens.json"));
        let lora = Some(folder.join("lora")).filter(|lora| lora.is_dir());
        let out = place.path().join(format!("{name}.gguf"));
        let how = Converting { mix: None, lora: lora.as_deref(), threads: 2 };
        if let Err(error) = convert(&folder, &out, &how, &mut |_| ControlFlow::Continue(())) {
            wrong.push(format!("{name}: {error}"));
            continue;
        }
        let nmse = error_of(&out, &tokens, &wanted);
        println!("{name}: {nmse:.1e}");
        checked += 1;
        if nmse.is_nan() || nmse > LIMIT {
            wrong.push(format!("{name}: {nmse:e}"));
        }
        wrong.extend(texts(&folder, &out).into_iter().map(|text| format!("{name}: {text}")));
    }
    println!("{checked} checkpoints");
    assert!(wrong.is_empty() && checked > 0, "{}", wrong.join("\n"));
}

/// The checkpoints, or a word on why there are none.
fn folders() -> Option<Vec<PathBuf>> {
    let Some(folder) = std::env::var_os("YARDSTICK_HF_MODELS") else {
        println!("skipped: YARDSTICK_HF_MODELS names no folder of checkpoints");
        return None;
    };
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("logits.f32").is_file())
        .collect();
    folders.sort();
    Some(folders)
}

fn error_of(path: &Path, tokens: &[Token], wanted: &[f32]) -> f64 {
    let model = Arc::new(Model::open(path).expect("what was written can be read"));
    let DeviceStatus::Ready(device) = Reference.devices().remove(0) else { panic!("no reference") };
    let context = Some(tokens.len());
    let options = Options { context, kv: KvType::F32, ..Options::default() };
    let mut session = Reference.load(&device, &model, &options).expect("loads");
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All }).expect("runs");
    let found = session.logits().expect("has logits").values.to_vec();
    assert_eq!(found.len(), wanted.len(), "{}", path.display());
    verify::nmse(&found, wanted, model.architecture().vocab)
}

/// Texts whose ids are not those of the checkpoint's own tokenizer.
fn texts(folder: &Path, out: &Path) -> Vec<String> {
    let path = folder.join("texts.json");
    if !path.is_file() {
        return Vec::new();
    }
    let texts: Vec<(String, Vec<u32>)> = read_json(&path);
    let gguf = Gguf::open(out).expect("what was written can be read");
    let tokenizer = match Tokenizer::from_gguf(&gguf) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return vec![error.to_string()],
    };
    let how = Encoding { ends: true, control: true };
    let mut wrong = Vec::new();
    for (text, ids) in &texts {
        match tokenizer.encode(text.as_bytes(), how) {
            Ok(found) if found == *ids => {}
            found => wrong.push(format!("{text:?}: {found:?} instead of {ids:?}")),
        }
    }
    println!("    {} texts", texts.len());
    wrong
}

fn read_floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("readable");
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("as make.py writes it")
}
