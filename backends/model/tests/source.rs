//! Ollama's store and Hugging Face's cache: what is found there, and what does not fit its own name.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::Path;

use sha2::{Digest, Sha256};
use yardstick_model::source::{HubCache, HubFile, Name, Ollama};

const WEIGHTS: &[u8] = b"weights";
const MODEL: &str = "application/vnd.ollama.image.model";

fn digest() -> String {
    Sha256::digest(WEIGHTS).iter().map(|b| format!("{b:02x}")).collect()
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn manifest(layers: &[(&str, &str, u64)]) -> String {
    let layer = |(kind, digest, size): &(&str, &str, u64)| {
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let layers: Vec<String> = layers.iter().map(layer).collect();
    format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, layers.join(","))
}

fn locate(folder: &Path, name: &str) -> Result<std::path::PathBuf, String> {
    let store = Ollama { folders: vec![folder.join("absent"), folder.to_owned()] };
    let name = Name::parse(name).unwrap().unwrap();
    let found = store.locate(&name, &mut |_, _| ControlFlow::Continue(()));
    found.map(|located| located.unwrap().path).map_err(|error| error.to_string())
}

#[test]
fn ollamas_models_are_found_by_name_and_checked_by_digest() {
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join(format!("blobs/sha256-{}", digest()));
    write(&blob, WEIGHTS);
    let place = |path: &str| folder.path().join("manifests").join(path);
    let name = format!("sha256:{}", digest());
    let template = ("application/vnd.ollama.image.template", "sha256:0", 1);
    let good = manifest(&[template, (MODEL, &name, 7)]);
    write(&place("registry.ollama.ai/library/llama3.2/latest"), &good);
    write(&place("hf.co/me/mine/Q4_0"), &good);
    for name in ["ollama:llama3.2", "ollama:llama3.2:latest", "ollama:hf.co/me/mine:Q4_0"] {
        assert_eq!(locate(folder.path(), name).unwrap(), blob, "{name}");
    }
    let missing = locate(folder.path(), "ollama:qwen3:8b").unwrap_err();
    assert!(missing.contains("there is llama3.2:latest; `ollama pull qwen3:8b`"), "{missing}");
    let tag = place("registry.ollama.ai/library/llama3.2/latest");
    let adapter = ("application/vnd.ollama.image.adapter", "sha256:0", 1);
    let far = format!("sha256:{}", "0".repeat(64));
    for (json, words) in [
        ("{".to_owned(), "manifest: found EOF"),
        (manifest(&[]), "0 layers of weights"),
        (manifest(&[(MODEL, &name, 7), adapter]), "an adapter beside the weights"),
        (manifest(&[(MODEL, "sha256:../../x", 7)]), "layer digest: found \"sha256:../../x\""),
        (manifest(&[(MODEL, &far, 7)]), "run `ollama pull` again"),
        (manifest(&[(MODEL, &name, 8)]), "found 7 bytes, expected 8 bytes"),
    ] {
        write(&tag, json);
        let text = locate(folder.path(), "ollama:llama3.2").unwrap_err();
        assert!(text.contains(words), "{text}");
    }
    write(&tag, &good);
    write(&blob, b"Weights");
    let text = locate(folder.path(), "ollama:llama3.2").unwrap_err();
    assert!(text.contains("SHA-256: found") && text.contains(&digest()), "{text}");
}

#[test]
fn the_hubs_cache_is_read_by_branch_and_by_commit() {
    let folder = tempfile::tempdir().unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let repository = folder.path().join("models--a--b");
    write(&repository.join("refs/main"), commit);
    write(&repository.join("refs/broken"), "../../x");
    write(&repository.join(format!("snapshots/{commit}/q4/c.gguf")), WEIGHTS);
    let cache = HubCache { folder: folder.path().to_owned() };
    let file = |file: &str, revision: &str| {
        let [owner, repo, file, revision] = ["a", "b", file, revision].map(str::to_owned);
        HubFile { owner, repo, file, revision }
    };
    let find = |f: &HubFile| cache.locate(f, &mut |_, _| ControlFlow::Continue(()));
    for revision in ["main", commit] {
        let located = find(&file("q4/c.gguf", revision)).unwrap().unwrap();
        assert_eq!(
            (std::fs::read(located.path).unwrap(), located.sha256),
            (WEIGHTS.to_vec(), None)
        );
    }
    for (name, revision) in [("q5/c.gguf", "main"), ("q4/c.gguf", "v2"), ("q4", "main")] {
        assert_eq!(find(&file(name, revision)).unwrap(), Err(false), "{name}@{revision}");
    }
    let text = find(&file("q4/c.gguf", "broken")).unwrap_err().to_string();
    assert!(text.contains("40 hexadecimal digits"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_blob_of_the_hubs_cache_is_compared_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("models--a--b");
    let commit = "0".repeat(40);
    let blob = repository.join("blobs").join(digest());
    write(&blob, WEIGHTS);
    let link = repository.join(format!("snapshots/{commit}/c.gguf"));
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(format!("../../blobs/{}", digest()), &link).unwrap();
    let cache = HubCache { folder: folder.path().to_owned() };
    let [owner, repo, file] = ["a", "b", "c.gguf"].map(str::to_owned);
    let file = HubFile { owner, repo, file, revision: commit };
    let find = || cache.locate(&file, &mut |_, _| ControlFlow::Continue(()));
    assert_eq!(find().unwrap().unwrap().sha256, Some(digest()));
    write(&blob, b"Weights");
    assert!(find().unwrap_err().to_string().contains("SHA-256"));
}
