//! The packed file: written once, found again, replaced when it is not what it should be, done without when it cannot be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yardstick_api::{Backend, Batch, Device, DeviceStatus, Known, Options, Rows, Sequence, Span};
use yardstick_cpu::Cpu;
use yardstick_model::Model;

/// A folder of a test's own, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("yardstick-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn model() -> Arc<Model> {
    let quantised =
        |model: &Arc<Model>| model.info().formats.iter().any(|(format, _)| format.name() == "Q4_0");
    let models = yardstick_api::conformance::synthetic::models().expect("made-up models open");
    let found = models.into_iter().map(|(_, model)| model).find(quantised);
    found.expect("one is in Q4_0")
}

fn device() -> Device {
    let best = Cpu.devices().into_iter().find_map(|status| match status {
        DeviceStatus::Ready(device) if device.preferred => Some(device),
        _ => None,
    });
    best.expect("one device is the best")
}

/// How weights were packed, and the logits of a prompt.
fn run(folder: Option<&Path>, repack: bool) -> (Known<String>, Vec<f32>) {
    let options = Options { threads: Some(2), context: Some(16), repack, ..Options::default() };
    let backend = Cpu.keeping(folder.map(Path::to_owned));
    let mut session = backend.load(&device(), &model(), &options).expect("the model loads");
    let spans = [Span { sequence: Sequence(0), tokens: &[1, 2, 3] }];
    session.forward(&Batch { spans: &spans, rows: Rows::Last }).expect("a prompt runs");
    let how = session.facts().notes["packed"].clone();
    let logits = session.logits().expect("logits are there").values.to_vec();
    (how, logits)
}

fn said(how: &Known<String>) -> String {
    how.value().cloned().unwrap_or_else(|| format!("{how:?}"))
}

#[test]
fn the_second_load_maps_what_the_first_wrote() {
    let folder = Folder::new("second");
    let (first, logits) = run(Some(&folder.0), true);
    assert!(said(&first).contains("written now"), "{first:?}");
    let [file] = &folder.files()[..] else { panic!("one file: {:?}", folder.files()) };
    let written = fs::metadata(file).unwrap().modified().unwrap();
    let (second, again) = run(Some(&folder.0), true);
    assert!(said(&second).contains(", mapped"), "{second:?}");
    assert_eq!(logits, again);
    assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), written);
    assert_eq!(run(None, true).1, logits, "private memory holds the same");
}

#[test]
fn a_file_that_is_not_right_is_replaced_and_told_of() {
    let folder = Folder::new("wrong");
    let (_, logits) = run(Some(&folder.0), true);
    let [file] = &folder.files()[..] else { panic!("one file") };
    let whole = fs::read(file).unwrap();
    let mut other = whole.clone();
    other[20] ^= 1;
    for (bytes, reason) in [
        (&whole[..whole.len() - 1], "bytes, expected"),
        (&[][..], "0 bytes, expected"),
        (&other[..], "another model or version"),
    ] {
        // A new file: the old one may still be mapped.
        fs::remove_file(file).unwrap();
        fs::write(file, bytes).unwrap();
        let (how, again) = run(Some(&folder.0), true);
        assert!(said(&how).contains(reason), "{how:?}");
        assert_eq!(again, logits);
        assert_eq!(fs::read(file).unwrap(), whole);
        assert_eq!(folder.files().len(), 1, "nothing half-written stays behind");
    }
}

#[test]
fn without_a_place_to_write_memory_is_private_and_the_reason_told() {
    let folder = Folder::new("nowhere");
    let occupied = folder.0.join("file");
    fs::write(&occupied, "not a folder").unwrap();
    let (how, logits) = run(Some(&occupied), true);
    assert!(said(&how).contains("private memory"), "{how:?}");
    assert!(said(&how).contains(&occupied.display().to_string()), "{how:?}");
    let (none, plain) = run(None, false);
    assert!(none.value().is_none(), "{none:?}");
    let far = logits.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-3, "packed and plain rows differ by {far}");
}
