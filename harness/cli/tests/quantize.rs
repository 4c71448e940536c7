//! `model quantize` and `model imatrix` as commands: what is written, what is refused, and that nothing half is left.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Place, ended};
use yardstick_model::Format;
use yardstick_model::gguf::Header;

/// Path of a preset, written if need be.
fn made(place: &Place, preset: &str) -> String {
    let (code, out, err) = place.run(&["model", "make", preset]);
    assert_eq!(code, 0, "{err}");
    out.split_whitespace().nth(2).unwrap().to_owned()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A folder's files, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An importance matrix of a model of random weights, over some ids.
fn matrix(place: &Place, model: &str) -> String {
    let (ids, matrix) = (place.path("ids"), place.path("i.gguf"));
    let list: String = (0..96).map(|i| format!("{} ", i * 7 % 250)).collect();
    std::fs::write(&ids, list).unwrap();
    let (ids, matrix) = (text(&ids), text(&matrix));
    let (code, out, err) = place.run(&[
        "model",
        "imatrix",
        model,
        "--ids-file",
        &ids,
        "--chunk",
        "32",
        "--out",
        &matrix,
    ]);
    assert!(code == 0 && out.contains("matrices"), "{out}{err}");
    matrix
}

#[test]
fn several_types_go_into_a_folder_and_importances_from_the_reference_serve_the_quantiser() {
    let place = Place::new();
    let model = made(&place, "tiny:F16");
    let matrix = matrix(&place, &model);
    let (folder, plain) = (text(&place.path("with")), text(&place.path("plain.gguf")));
    let types = ["--type", "Q4_K_M,iq4_nl", "--imatrix", &matrix, "--json"];
    let (code, out, err) =
        place.run(&[&["model", "quantize", &model, &folder][..], &types[..]].concat());
    assert_eq!(code, 0, "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (told[0]["type"].as_str(), told[1]["type"].as_str()),
        (Some("Q4_K_M"), Some("IQ4_NL"))
    );
    let tensors = told[1]["tensors"].as_array().unwrap();
    let of = |name: &str| tensors.iter().find(|t| t["name"] == name).unwrap();
    assert!(of("blk.0.attn_q.weight")["rmse"].as_f64() > Some(0.0));
    assert_eq!(of("blk.0.attn_q.weight")["weighted"], true);
    // As in llama.cpp, only the layers are watched.
    assert_eq!(of("output.weight")["weighted"], false);
    let (code, out, err) = place.run(&["model", "quantize", &model, &plain, "--type", "Q4_K_M"]);
    assert!(code == 0 && out.contains("rmse") && !out.contains("importances"), "{out}{err}");
    let weighted = std::fs::read(told[0]["path"].as_str().unwrap()).unwrap();
    assert!(weighted != std::fs::read(&plain).unwrap(), "the importances changed nothing");
    let flags = ["--type", "Q4_K_M", "--imatrix", &matrix];
    let (_, out, _) = place.run(&[&["model", "quantize", &model, &plain][..], &flags].concat());
    let unweighted: Vec<&str> = out.lines().filter(|l| l.contains("without importances")).collect();
    assert!(
        unweighted.iter().all(|l| l.starts_with("output") || l.starts_with("token_embd")),
        "{out}"
    );
    assert_eq!(unweighted.len(), 2, "{out}");
}

#[test]
fn wrong_requests_and_files_are_named_and_leave_nothing() {
    let place = Place::new();
    let model = made(&place, "tiny:F16");
    let other = made(&place, "tiny-qwen2:F16");
    let matrix = matrix(&place, &model);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(place.path(name), bytes).unwrap();
        text(&place.path(name))
    };
    let whole = std::fs::read(&model).unwrap();
    let cut = write("cut.gguf", &whole[..whole.len() - 1000]);
    let head = write("head.gguf", &whole[..200]);
    let short = write("short.gguf", &std::fs::read(&matrix).unwrap()[..900]);
    let words = write("words", b"no importances at all");
    let folder = place.path("results");
    std::fs::create_dir(&folder).unwrap();
    let out = text(&folder.join("out.gguf"));
    let gone = text(&place.path("gone.gguf"));
    let quantised = made(&place, "tiny:Q4_0");
    let all = "one of F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q3_K_S, Q3_K_M, Q3_K_L, \
               Q4_K, Q4_K_S, Q4_K_M, Q5_K, Q5_K_S, Q5_K_M, Q6_K, IQ4_NL";
    let cases: &[(&str, &[&str], &str)] = &[
        (&model, &["--type", "Q4_K_XL"], all),
        (&model, &["IQ2_XXS"], "\"IQ2_XXS\" cannot be written"),
        (&model, &["--type", "Q4_0,nonsense"], "nonsense"),
        (&model, &["--type", "Q4_0,q4_0"], "Q4_0 is asked for twice"),
        (&model, &["Q4_0", "--type", "Q8_0"], "cannot be used with"),
        (&model, &["--type", "Q4_0", "--effort", "worst"], "worst"),
        (&model, &["--type", "Q4_0", "--threads", "0"], "--threads"),
        (&model, &["--type", "Q4_0", "--effort", "fast", "--imatrix", &matrix], "--effort fast"),
        (&model, &["--type", "Q4_0", "--imatrix", &model], "general.type is not \"imatrix\""),
        (&model, &["--type", "Q4_0", "--imatrix", &short], "short.gguf"),
        (&model, &["--type", "Q4_0", "--imatrix", &words], "neither a GGUF file nor"),
        (&model, &["--type", "Q4_0", "--imatrix", &gone], "gone.gguf"),
        (
            &other,
            &["--type", "Q4_0", "--imatrix", &matrix],
            "take the importances of the same model",
        ),
        (&cut, &["--type", "Q4_0"], "cut.gguf"),
        (&head, &["--type", "Q4_0"], "head.gguf"),
        (&gone, &["--type", "Q4_0"], "gone.gguf"),
        (&matrix, &["--type", "Q4_0", "--imatrix", &matrix], "none of its"),
        (&quantised, &["--type", "Q8_0"], "Q4_0 already"),
    ];
    for (input, flags, words) in cases {
        let (code, stdout, err) =
            place.run(&[&["model", "quantize", input, &out], *flags].concat());
        assert!(code == 2 && err.contains(words), "{input} {flags:?}: {stdout}{err}");
        assert_eq!(files(&folder), [""; 0], "{input} {flags:?}");
    }
    // A folder cannot be one type's file, nor a file several types' folder.
    let folder = text(&folder);
    let (code, _, err) = place.run(&["model", "quantize", &model, &folder, "Q4_0"]);
    assert!(code == 2 && err.contains("not a regular file"), "{err}");
    let (code, _, err) = place.run(&["model", "quantize", &model, &words, "--type", "Q4_0,Q8_0"]);
    assert!(code == 2 && err.contains("need a folder"), "{err}");
    let (code, _, err) = place.run(&["model", "quantize", &model, &model, "Q4_0"]);
    assert!(code == 2 && err.contains("same file"), "{err}");
    assert_eq!(std::fs::read(&model).unwrap(), whole);
}

#[test]
fn imatrix_refuses_texts_without_tokens_and_ids_the_model_lacks() {
    let place = Place::new();
    let model = made(&place, "tiny:Q4_0");
    let folder = place.path("results");
    std::fs::create_dir(&folder).unwrap();
    let out = text(&folder.join("i.gguf"));
    for (flag, content, word) in [
        ("--ids-file", "1 2 x", "\"x\" is no token id"),
        ("--ids-file", " ,\n", "no tokens"),
        ("--ids-file", "1,512", "512"),
        ("--text", "words", "tokenizer"),
    ] {
        let file = place.path("input");
        std::fs::write(&file, content).unwrap();
        let (code, _, err) =
            place.run(&["model", "imatrix", &model, flag, &text(&file), "--out", &out]);
        assert!(code == 2 && err.contains(word), "{content:?}: {err}");
        assert_eq!(files(&folder), [""; 0], "{content:?}");
    }
    let ids = place.path("input");
    std::fs::write(&ids, "1 2 3").unwrap();
    let (code, _, err) =
        place.run(&["model", "imatrix", &model, "--ids-file", &text(&ids), "--out", &model]);
    assert!(code == 2 && err.contains("is the model"), "{err}");
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_bytes_is_an_error_and_leaves_nothing() {
    let place = Place::new();
    let model = made(&place, "tiny:F16");
    let folder = place.path("results");
    std::fs::create_dir(&folder).unwrap();
    let out = folder.join("out.gguf");
    // Files end at 64 blocks of 512 bytes here, as on a disk that is full by then.
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(assert_cmd::cargo::cargo_bin("yardstick"))
        .args(["model", "quantize", &model, &text(&out), "Q4_K_M"])
        .env("YARDSTICK_DATA", place.path(""))
        .env("YARDSTICK_CACHE", support::cache())
        .output()
        .unwrap();
    let (code, _, err) = ended(output);
    assert!(code == 2 && err.contains("out.gguf") && err.contains("too large"), "{code}: {err}");
    assert_eq!(files(&folder), [""; 0]);
}

/// A source of zeros that takes a while and no room on the disk: the data are a hole.
#[cfg(unix)]
fn long(place: &Place) -> PathBuf {
    let (cols, rows) = (4096, 48 << 10);
    let mut header = Header::new("long");
    header.tensor("token_embd.weight", Format::F16, &[cols, rows]).unwrap();
    let path = place.path("long.gguf");
    let bytes = header.file_bytes().unwrap();
    let mut file = std::fs::File::create(&path).unwrap();
    drop(header.start(&mut file).unwrap());
    file.set_len(bytes).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_its_own_exit_code_and_leaves_nothing() {
    let place = Place::new();
    let source = long(&place);
    let folder = place.path("results");
    std::fs::create_dir(&folder).unwrap();
    let child = Command::new(assert_cmd::cargo::cargo_bin("yardstick"))
        .args(["model", "quantize", &text(&source), &text(&folder.join("out.gguf")), "IQ4_NL"])
        .args(["--threads", "1"])
        .env("YARDSTICK_DATA", place.path(""))
        .env("YARDSTICK_CACHE", support::cache())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while files(&folder).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was begun");
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let (code, out, err) = ended(child.wait_with_output().unwrap());
    assert!(code == 130 && err.contains("stopped on request"), "{code}: {out}{err}");
    assert_eq!(files(&folder), [""; 0]);
}
