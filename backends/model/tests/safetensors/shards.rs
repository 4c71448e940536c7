//! Checkpoints of several files: the index and its shards agree, or the error names both.

use std::path::Path;

use yardstick_model::safetensors::{Checkpoint, Dtype, encode};

const INDEX: &str = "model.safetensors.index.json";
const ONE: &str = "model-00001-of-00002.safetensors";
const TWO: &str = "model-00002-of-00002.safetensors";

/// What is wrong, the files, and what the error must hold.
type Case = (&'static str, Vec<(&'static str, Vec<u8>)>, [&'static str; 2]);

fn shard(names: &[&str]) -> Vec<u8> {
    let tensors: Vec<_> =
        names.iter().map(|n| (*n, Dtype::U8, &[2usize][..], &[1u8, 2][..])).collect();
    encode(&tensors)
}

fn index(places: &[(&str, &str)], total: u64) -> String {
    let map: Vec<String> = places.iter().map(|(t, f)| format!("{t:?}:{f:?}")).collect();
    format!(r#"{{"metadata":{{"total_size":{total}}},"weight_map":{{{}}}}}"#, map.join(","))
}

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn shards_are_one_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let map = index(&[("a", ONE), ("b", TWO), ("c", ONE)], 6);
    write(
        folder.path(),
        &[(INDEX, map.as_bytes()), (ONE, &shard(&["a", "c"])), (TWO, &shard(&["b"]))],
    );
    let all = Checkpoint::open(folder.path()).unwrap();
    let names: Vec<&str> = all.tensors().map(|t| t.name).collect();
    assert_eq!((names, all.files().len(), all.len()), (vec!["a", "c", "b"], 2, 3));
    assert_eq!(all.tensor("b").unwrap().bytes, [1, 2]);
    assert!(all.path_of("b").ends_with(TWO) && all.warnings().is_empty());
    all.check_unchanged().unwrap();
    // A single file is what transformers reads where both are there.
    write(folder.path(), &[("model.safetensors", &shard(&["x"]))]);
    let single = Checkpoint::open(folder.path()).unwrap();
    assert_eq!((single.len(), single.warnings().len()), (1, 1));
    assert_eq!(Checkpoint::open(&folder.path().join(TWO)).unwrap().len(), 1);
}

#[test]
fn a_total_size_that_lies_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[(INDEX, index(&[("a", ONE)], 7).as_bytes()), (ONE, &shard(&["a"]))]);
    let all = Checkpoint::open(folder.path()).unwrap();
    assert!(all.warnings()[0].contains("total_size of 7; tensors have 2"), "{:?}", all.warnings());
}

#[test]
fn shards_and_index_that_disagree_are_errors_naming_both() {
    let map = |places: &[(&str, &str)]| index(places, 4).into_bytes();
    let good = || map(&[("a", ONE), ("b", TWO)]);
    let cases: Vec<Case> = vec![
        ("nothing", vec![], ["folder", "model.safetensors or"]),
        ("no JSON", vec![(INDEX, b"{".to_vec())], ["index", "EOF"]),
        ("no map", vec![(INDEX, b"{}".to_vec())], ["index", "weight_map"]),
        ("an empty map", vec![(INDEX, map(&[]))], ["weight_map", "0 files"]),
        ("a missing shard", vec![(INDEX, good()), (ONE, shard(&["a"]))], [TWO, "holds \"b\""]),
        (
            "a missing tensor",
            vec![(INDEX, good()), (ONE, shard(&["a"])), (TWO, shard(&["c"]))],
            [TWO, "tensor \"b\""],
        ),
        (
            "a tensor more",
            vec![(INDEX, good()), (ONE, shard(&["a", "x"])), (TWO, shard(&["b"]))],
            [ONE, "tensor \"x\""],
        ),
        (
            "another's tensor",
            vec![(INDEX, good()), (ONE, shard(&["a", "b"])), (TWO, shard(&["b"]))],
            ["tensor \"b\"", "not in the index"],
        ),
        (
            "one tensor in two places",
            vec![(INDEX, map(&[("a", ONE), ("a", TWO)]))],
            ["weight_map \"a\"", "one file"],
        ),
        (
            "a truncated shard",
            vec![(INDEX, good()), (ONE, shard(&["a"])[..9].to_vec()), (TWO, shard(&["b"]))],
            [ONE, "header length"],
        ),
        (
            "a shard more",
            vec![(INDEX, map(&[("a", ONE)])), (ONE, shard(&["a"])), (TWO, shard(&["b"]))],
            ["weight_map", TWO],
        ),
        (
            "a way out",
            vec![(INDEX, map(&[("a", "../x.safetensors")]))],
            ["weight_map \"a\"", "same folder"],
        ),
        (
            "an absolute path",
            vec![(INDEX, map(&[("a", "/x.safetensors")]))],
            ["weight_map \"a\"", "same folder"],
        ),
        (
            "another file",
            vec![(INDEX, map(&[("a", "pytorch_model.bin")]))],
            ["weight_map \"a\"", "same folder"],
        ),
    ];
    for (name, files, wanted) in cases {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, &b[..])).collect();
        write(folder.path(), &files);
        let text = Checkpoint::open(folder.path()).err().map(|e| e.to_string());
        let text = text.unwrap_or_else(|| panic!("{name}: accepted"));
        assert!(wanted.iter().all(|part| text.contains(part)), "{name}: {text:?} lacks {wanted:?}");
    }
}
