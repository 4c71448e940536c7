//! Converted models on disk: found again, made again when damaged, and nothing half-written left behind.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{device, settings};
use yardstick_api::conformance::synthetic;
use yardstick_api::{Backend, KvType, Options};
use yardstick_ort::{Ort, Settings};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

#[test]
fn a_conversion_is_found_again_and_made_again_when_it_was_cut() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let backend = Ort::new(Settings { cache: Some(cache.path().to_owned()), ..settings() });
    let device = match device(&backend, "ort:cpu") {
        Ok(device) => device,
        Err(line) => return println!("{line}"),
    };
    let models = synthetic::models().expect("made-up models open");
    let (_, model) = models.into_iter().find(|(name, _)| *name == "gqa-q4_0").expect("made up");
    let load = || {
        let options =
            Options { kv: KvType::F32, context: Some(24), threads: Some(1), ..Options::default() };
        let session = backend.load(&device, &model, &options).expect("loads");
        session.facts().notes["load"].value().expect("it is known").clone()
    };
    let first = load();
    assert!(["read ", "convert ", "compile "].iter().all(|part| first.contains(part)), "{first}");
    let written = files(cache.path());
    assert!(written.iter().all(|path| path.extension().is_none_or(|end| end != "part")));
    let weights = written.iter().find(|path| path.ends_with("weights.bin")).expect("they are kept");
    let (bytes, time) = (fs::read(weights).unwrap(), fs::metadata(weights).unwrap().modified());
    load();
    let again = fs::metadata(weights).unwrap().modified();
    assert_eq!(time.unwrap(), again.unwrap(), "what was there is used");
    assert_eq!(files(cache.path()), written);
    // A file that was cut, as by a full disk, is not what its index says.
    fs::write(weights, &bytes[..bytes.len() - 1]).unwrap();
    load();
    assert_eq!(fs::read(weights).unwrap(), bytes);
    assert_eq!(files(cache.path()), written);
}
