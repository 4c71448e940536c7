//! The file quantiser: what is kept, what changes, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_model::quantize::{Error, Mix, Quantised, Quantising, quantize};
use yardstick_model::{Format, Gguf, Model};

fn tiny(mix: &str, cache: &Path) -> PathBuf {
    let preset = PresetRef::parse(&format!("tiny:{mix}")).unwrap();
    preset::make(&preset, cache, 2, Check::Size, &mut |_| ControlFlow::Continue(())).unwrap().path
}

fn run(from: &Path, to: &Path, mix: &str, allow_requantize: bool) -> Result<Quantised, Error> {
    let how = Quantising { mix: Mix::from_name(mix).unwrap(), threads: 2, allow_requantize };
    quantize(&Gguf::open(from).unwrap(), to, &how, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn quantising_the_f32_preset_gives_the_bytes_of_the_quantised_preset() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny("F32", folder.path());
    for (mix, _) in preset::quantisations() {
        let out = folder.path().join(format!("{mix}.gguf"));
        let quantised = run(&source, &out, mix, false).unwrap();
        let direct = tiny(mix, folder.path());
        assert!(fs::read(&out).unwrap() == fs::read(direct).unwrap(), "{mix}");
        assert_eq!(quantised.bytes, fs::metadata(&out).unwrap().len());
        assert_eq!(Model::open(&out).unwrap().sha256().unwrap(), quantised.sha256);
    }
}

#[test]
fn a_quantised_source_is_refused_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny("Q8_0", folder.path());
    let out = folder.path().join("out.gguf");
    let error = run(&source, &out, "Q4_0", false).unwrap_err();
    assert!(matches!(error, Error::Requantising { format: Format::Q8_0, .. }), "{error}");
    assert!(!out.exists());
    run(&source, &out, "Q4_0", true).unwrap();
    let model = Model::open(&out).unwrap();
    assert_eq!(model.tensor("blk.0.attn_q.weight").unwrap().format, Format::Q4_0);
    assert_eq!(model.info().quantisation, "Q4_0");
    assert_eq!(model.gguf().display("yardstick.preset").unwrap(), "tiny");
}

#[test]
fn the_source_itself_and_a_stop_leave_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny("F16", folder.path());
    let before = fs::read(&source).unwrap();
    let out = folder.path().join("out.gguf");
    let error = run(&source, &source, "Q4_0", false).unwrap_err();
    assert!(matches!(error, Error::SameFile { .. }), "{error}");
    let how = Quantising { mix: Mix::Q4_K_M, threads: 1, allow_requantize: false };
    let gguf = Gguf::open(&source).unwrap();
    let error = quantize(&gguf, &out, &how, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error, Error::Stopped), "{error}");
    assert_eq!(fs::read(&source).unwrap(), before);
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 2, "the source and its note");
}
