//! Presets are written whole, the same everywhere, and open as the models they claim to be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;

use yardstick_model::preset::{self, Check, Error, InManifest, Made, PresetRef, Progress};
use yardstick_model::tokenizer::{Encoding, Tokenizer};
use yardstick_model::{Format, Model, quantize};

const TINY: [&str; 4] = ["tiny", "tiny-qwen2", "tiny-moe", "tiny-gemma3"];
/// Its weights are trained and come with the program.
const TRAINED: &str = "rustdoc-6m";

fn make(text: &str, cache: &Path, threads: usize, check: Check) -> Made {
    let preset = PresetRef::parse(text).unwrap();
    preset::make(&preset, cache, threads, check, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_quantisation_of_the_tiny_presets_has_the_manifests_hash_and_the_predicted_size() {
    let cache = tempfile::tempdir().unwrap();
    for name in TINY.into_iter().chain([TRAINED]) {
        for (mix, _) in preset::quantisations() {
            let text = format!("{name}:{mix}");
            let made = make(&text, cache.path(), 2, Check::Size);
            assert_eq!(made.manifest, InManifest::Verified, "{text} is not in the manifest");
            assert!(made.written);
            assert_eq!(fs::metadata(&made.path).unwrap().len(), made.bytes, "{text}");
            let predicted = preset::file_bytes(&PresetRef::parse(&text).unwrap()).unwrap();
            assert_eq!(predicted, made.bytes, "{text}");
            let model = Model::open(&made.path).unwrap();
            assert_eq!(model.sha256().unwrap(), made.sha256, "{text}");
            let info = preset::info(&PresetRef::parse(&text).unwrap()).unwrap();
            assert_eq!(format!("{info:?}"), format!("{:?}", model.info()), "{text}");
        }
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    for text in ["tiny:Q4_K_M", "tiny-qwen2:F16"] {
        let preset = PresetRef::parse(text).unwrap();
        let hash =
            |threads| preset::hash(&preset, threads, &mut |_| ControlFlow::Continue(())).unwrap();
        let one = hash(1);
        for threads in [2, 3, 4, 16] {
            assert_eq!(hash(threads), one, "{text} with {threads} threads");
        }
    }
}

#[test]
fn a_written_preset_is_the_model_its_recipe_describes() {
    let cache = tempfile::tempdir().unwrap();
    for name in TINY {
        let made = make(&format!("{name}:Q4_0"), cache.path(), 2, Check::Size);
        let model = Model::open(&made.path).unwrap();
        let preset = PresetRef::parse(&format!("{name}:Q4_0")).unwrap();
        assert_eq!(*model.architecture(), preset.recipe().network().unwrap());
        assert_eq!(model.info().name, name);
        assert_eq!(model.info().quantisation, "Q4_0");
        assert_eq!(model.info().parameters, preset::parameters(&preset).unwrap());
        let text = |key: &str| model.gguf().display(key).unwrap();
        assert_eq!(text("yardstick.preset"), name);
        assert_eq!(text("yardstick.recipe_sha256"), preset.recipe().sha256());
        assert_eq!(text("tokenizer.ggml.model"), "no_vocab");
        assert!(text("general.description").starts_with("random weights, seed"));
    }
}

#[test]
fn the_trained_preset_is_the_file_that_comes_with_the_program_and_has_a_tokenizer() {
    let cache = tempfile::tempdir().unwrap();
    let made = make("rustdoc-6m:F16", cache.path(), 2, Check::Size);
    let file = "../../suites/models/bundled/rustdoc-6m-F16.gguf";
    assert!(fs::read(&made.path).unwrap() == fs::read(file).unwrap(), "{file}");
    let quantised = make("rustdoc-6m:Q4_K_M", cache.path(), 2, Check::Size);
    let model = Model::open(&quantised.path).unwrap();
    let preset = PresetRef::parse("rustdoc-6m:Q4_K_M").unwrap();
    assert_eq!(*model.architecture(), preset.recipe().network().unwrap());
    assert_eq!(model.info().quantisation, "Q4_K_M");
    assert_eq!(model.info().parameters, preset::parameters(&preset).unwrap());
    // Nothing says that its weights are random.
    assert_eq!(model.gguf().display("yardstick.preset"), None);
    let tokenizer = Tokenizer::from_gguf(model.gguf()).unwrap();
    let plain = Encoding { ends: false, control: false };
    let text = b"let mut v: Vec<u8> = Vec::new();";
    let ids = tokenizer.encode(text, plain).unwrap();
    assert!(ids.len() < text.len() / 2, "{ids:?}");
}

#[test]
fn a_file_in_the_cache_is_used_and_a_corrupted_one_is_found_and_replaced() {
    let cache = tempfile::tempdir().unwrap();
    let first = make("tiny:Q4_0", cache.path(), 2, Check::Size);
    let again = make("tiny:Q4_0", cache.path(), 2, Check::Hash);
    assert!(!again.written && again.sha256 == first.sha256 && again.path == first.path);

    let mut bytes = fs::read(&first.path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&first.path, &bytes).unwrap();
    let made = make("tiny:Q4_0", cache.path(), 2, Check::Hash);
    assert!(made.written, "one flipped bit is found by its hash");
    assert!(made.replaced.unwrap().contains("SHA-256"));

    fs::write(&first.path, &bytes[..last]).unwrap();
    let made = make("tiny:Q4_0", cache.path(), 2, Check::Size);
    assert!(made.written && made.replaced.unwrap().contains("bytes instead of"));
    assert_eq!(Model::open(&first.path).unwrap().sha256().unwrap(), first.sha256);
}

#[test]
fn without_its_note_a_cached_file_is_hashed_again() {
    let cache = tempfile::tempdir().unwrap();
    let first = make("tiny:Q4_0", cache.path(), 2, Check::Size);
    let note = first.path.with_added_extension("sha256");
    for wrong in ["", "not a hash", &"é".repeat(64)] {
        fs::write(&note, wrong).unwrap();
        let again = make("tiny:Q4_0", cache.path(), 2, Check::Size);
        assert!(!again.written && again.sha256 == first.sha256);
        assert!(fs::read_to_string(&note).unwrap().starts_with(&first.sha256));
    }
}

#[test]
fn a_stopped_write_leaves_no_file() {
    let cache = tempfile::tempdir().unwrap();
    let preset = PresetRef::parse("tiny:F32").unwrap();
    let mut seen = Vec::new();
    let mut stop = |progress: Progress| {
        seen.push(progress);
        if progress.bytes > 1 << 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = preset::make(&preset, cache.path(), 2, Check::Size, &mut stop).unwrap_err();
    assert!(matches!(error, Error::Write(quantize::Error::Stopped)), "{error}");
    assert!(files(cache.path()).is_empty());
    assert!(seen.windows(2).all(|pair| pair[0].bytes < pair[1].bytes), "{seen:?}");
}

#[test]
fn writers_of_one_preset_do_not_disturb_each_other() {
    let cache = tempfile::tempdir().unwrap();
    let hashes: Vec<String> = thread::scope(|scope| {
        let writer = || make("tiny:Q8_0", cache.path(), 2, Check::Size).sha256;
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    let path = preset::cache_path(&PresetRef::parse("tiny:Q8_0").unwrap(), cache.path()).unwrap();
    let sha256 = Model::open(&path).unwrap().sha256().unwrap();
    assert!(hashes.iter().all(|hash| *hash == sha256), "{hashes:?}");
    assert_eq!(files(cache.path()).len(), 2, "the model and its note");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("file");
    fs::write(&file, "").unwrap();
    let preset = PresetRef::parse("tiny:Q4_0").unwrap();
    let error = preset::make(&preset, &file, 1, Check::Size, &mut |_| ControlFlow::Continue(()));
    assert!(error.unwrap_err().to_string().contains("file"));
}

#[test]
fn rows_that_do_not_divide_fall_back() {
    let cache = tempfile::tempdir().unwrap();
    let made = make("tiny-qwen2:Q4_K_M", cache.path(), 2, Check::Size);
    let model = Model::open(&made.path).unwrap();
    let format = |name: &str| model.tensor(name).unwrap().format;
    assert_eq!(format("blk.0.attn_q.weight"), Format::Q5_0);
    assert_eq!(format("token_embd.weight"), Format::Q8_0);
    assert_eq!(format("blk.0.attn_k.bias"), Format::F32);
}
