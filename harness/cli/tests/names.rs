//! Models by the names of other programs: `ollama:` and `hf:` wherever a model is taken, and what is said when they are not there.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use support::{Place, SHORT, ended};

/// The smallest preset: its file and its hash.
fn tiny(place: &Place) -> (PathBuf, String) {
    let (code, said, told) = place.run(&["model", "make", "tiny:Q4_0"]);
    assert_eq!(code, 0, "{told}");
    let words: Vec<&str> = said.split_whitespace().collect();
    (PathBuf::from(words[2]), words[1].to_owned())
}

/// Runs with stores in this place and no network.
fn run(place: &Place, arguments: &[&str]) -> (i32, String, String) {
    let mut command = place.yardstick();
    command
        .env("OLLAMA_MODELS", place.path("ollama"))
        .env("HF_HUB_CACHE", place.path("hub"))
        .env("HF_HUB_OFFLINE", "1")
        .args(arguments);
    ended(command.output().unwrap())
}

fn write(path: PathBuf, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_model_of_ollamas_is_inspected_measured_and_recorded_under_its_name() {
    let place = Place::new();
    let (file, sha256) = tiny(&place);
    let bytes = std::fs::read(&file).unwrap();
    let manifest = format!(
        r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{sha256}","size":{}}}]}}"#,
        bytes.len()
    );
    write(place.path("ollama/manifests/registry.ollama.ai/library/tiny/latest"), manifest);
    write(place.path(&format!("ollama/blobs/sha256-{sha256}")), bytes);
    let (code, said, told) = run(&place, &["model", "inspect", "ollama:tiny"]);
    assert!(code == 0 && said.contains("general.architecture"), "{told}");
    let wanted = ["run", "--json", "-m", "ollama:tiny", "-d", "reference", "--test", "pp4"];
    let (code, said, told) = run(&place, &[&wanted[..], &SHORT].concat());
    assert_eq!(code, 0, "{told}");
    let record: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let text = record.to_string();
    assert!(text.contains("\"ollama:tiny:latest\"") && text.contains(&sha256), "{text}");
    assert!(text.contains("--model ollama:tiny:latest"), "{text}");
}

#[test]
fn a_file_of_the_hubs_cache_needs_no_network() {
    let place = Place::new();
    let (file, _) = tiny(&place);
    let commit = "0123456789abcdef0123456789abcdef01234567";
    write(place.path("hub/models--me--mine/refs/main"), commit);
    let snapshot = format!("hub/models--me--mine/snapshots/{commit}/tiny.gguf");
    write(place.path(&snapshot), std::fs::read(file).unwrap());
    let (code, said, told) = run(&place, &["model", "inspect", "hf:me/mine/tiny.gguf"]);
    assert!(code == 0 && said.contains("general.architecture"), "{told}");
}

#[test]
fn a_name_that_is_not_here_says_what_would_change_that() {
    let place = Place::new();
    for (name, words) in [
        ("hf:me/mine/x.gguf", "HF_HUB_OFFLINE is set; unset it"),
        ("ollama:llama3.2", "`ollama pull llama3.2:latest` fetches it"),
        ("hf:me/mine", "no file is named; write hf:OWNER/REPO/FILE.gguf"),
        ("ollama:../../passwd", "is not a name; write ollama:NAME[:TAG]"),
    ] {
        let (code, _, told) = run(&place, &["model", "inspect", name]);
        assert!(code == 2 && told.contains(words), "{code} {told}");
    }
    let wanted = ["run", "-m", "hf:me/mine/x.gguf", "-d", "reference", "--test", "pp4"];
    let (code, _, told) = run(&place, &[&wanted[..], &SHORT].concat());
    assert_eq!(code, 1, "{told}");
}
