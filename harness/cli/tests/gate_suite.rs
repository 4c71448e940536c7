//! `yardstick gate --suite` and `kind = "protocol"` with real workers: what is the same, slower, other, missing and broken.
//! A small Python program between the gate and a worker makes sides that differ.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Place, has_python};

const PROXY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/proxy.py");
const YARDSTICK: &str = env!("CARGO_BIN_EXE_yardstick");

/// Short launches of one cell; what follows is a budget, or nothing.
fn suite(place: &Place, devices: &str, tests: &str, more: &str) -> String {
    let text = format!(
        "name = \"small\"\nanalysis = \"Whether the gate works.\"\ntests = {tests}\nmodels = [\"rustdoc-6m:Q8_0\"]\n\
         devices = {devices}\n[options]\nthreads = [1]\n[sampling]\nmin_repetitions = 6\nmax_repetitions = 12\n\
         warm_up_seconds = 0.05\n{more}"
    );
    let path = place.path("small.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn small(place: &Place, more: &str) -> String {
    suite(place, "[\"cpu\"]", "[\"tg8\"]", more)
}

/// A worker behind the proxy.
fn behind(mode: &str) -> String {
    let python = Command::new("sh").args(["-c", "command -v python3"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    format!("{} {PROXY} {mode} {YARDSTICK} worker", python.trim())
}

/// Exit code, text, words on stderr, `gate.json`.
fn gate(
    place: &Place,
    suite: &str,
    candidate: &str,
    more: &[&str],
) -> (i32, String, String, Value) {
    let told = place.path("told").display().to_string();
    let words = ["gate", "--suite", suite, "--base", YARDSTICK, "--candidate", candidate];
    let output = ["--output", &told, "--budget", "2"];
    let (code, out, err) = place.run(&[&words[..], &output, more].concat());
    let json = fs::read_to_string(place.path("told/gate.json")).unwrap_or_default();
    (code, out, err, serde_json::from_str(&json).unwrap_or_default())
}

fn outcome<'j>(json: &'j Value, row: &str) -> &'j str {
    let tests = json["tests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = tests.iter().find(|test| test["test"].as_str().is_some_and(|t| t.ends_with(row)));
    found.and_then(|test| test["outcome"].as_str()).unwrap_or("no such row")
}

#[test]
fn a_program_does_not_fail_against_itself_and_every_form_names_cell_and_metric() {
    let place = Place::new();
    let suite = small(&place, "");
    let (code, out, err, json) = gate(&place, &suite, YARDSTICK, &[]);
    assert!(code == 0 || code == 3, "{out}{err}");
    assert_eq!(outcome(&json, "rustdoc-6m:Q8_0 threads=1 drift"), "passed", "{out}{err}");
    assert!(out.contains("the same bits at 128 positions"), "{out}");
    for row in ["tg8 time", "tg8 memory"] {
        assert!(["passed", "inconclusive"].contains(&outcome(&json, row)), "{row}: {out}{err}");
        for form in ["gate.txt", "gate.md", "gate.html"] {
            let text = fs::read_to_string(place.path("told").join(form)).unwrap();
            assert!(
                text.contains(&format!("rustdoc-6m:Q8_0 threads=1 {row}")),
                "{form} {row}: {text}"
            );
        }
    }
    assert!(out.contains("the control is the base's own program"), "{out}");
}

#[test]
fn a_slower_worker_fails_and_the_row_says_by_how_much() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    let suite = small(&place, "");
    let (code, out, err, json) = gate(&place, &suite, &behind("slow=1.6"), &[]);
    assert_eq!((code, outcome(&json, "tg8 time")), (1, "slower"), "{out}{err}");
    let row = json["tests"].as_array().unwrap().iter().find(|t| t["outcome"] == "slower").unwrap();
    let estimate = row["cost"]["estimate"].as_f64().unwrap();
    assert!((0.3..1.2).contains(&estimate), "{estimate}");
    assert_eq!(outcome(&json, "drift"), "passed", "only slower: {out}");
}

#[test]
fn other_weights_are_output_drift_and_fail_before_anything_is_measured() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    // Written first, so that the proxy can name the files.
    let file = |format: &str| {
        let (code, out, err) = place.run(&["model", "make", &format!("rustdoc-6m:{format}")]);
        assert_eq!(code, 0, "{err}");
        let name = |word: &str| {
            word.ends_with(".gguf").then(|| word.rsplit('/').next().unwrap().to_owned())
        };
        out.split_whitespace().find_map(name).unwrap_or_else(|| panic!("{out}"))
    };
    let swap = behind(&format!("swap={}={}", file("Q8_0"), file("Q4_0")));
    let suite = small(&place, "");
    let (code, out, err, json) = gate(&place, &suite, &swap, &[]);
    assert_eq!((code, outcome(&json, "threads=1 drift")), (1, "drifted"), "{out}{err}");
    let tests = json["tests"].as_array().unwrap();
    let mean = tests.iter().find_map(|test| test["drift"]["divergence"]["mean"].as_f64());
    assert!(mean.is_some_and(|mean| mean > 1e-3), "{out}{err}");
    assert!(tests.iter().all(|test| test["launches"].as_array().unwrap().is_empty()), "{out}");
}

#[test]
fn the_suites_budgets_are_the_thresholds() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    let budget = |metric: &str, threshold: &str| {
        format!("[[budget]]\nmetric = \"{metric}\"\nthreshold = {threshold}\n")
    };
    // 60 % slower where 100 % is allowed; nothing measures accuracy or, here, energy; logits are asked for and not told.
    let all = budget("tokens_per_second", "\"100 %\"")
        + &budget("accuracy", "\"3 %\"")
        + &budget("joules_per_token", "\"5 %\"")
        + &budget("peak_rss_bytes", "1000000000000")
        + &budget("kld_mean", "0.01");
    let suite = small(&place, &all);
    let words = ["--budget", "1", "--only", "drift,budget,time,energy"];
    let told = place.path("told").display().to_string();
    let candidate = behind("mute");
    let (code, out, err) = place.run(
        &[
            &[
                "gate",
                "--suite",
                &suite,
                "--base",
                YARDSTICK,
                "--candidate",
                &candidate,
                "--output",
                &told,
            ],
            &words[..],
        ]
        .concat(),
    );
    assert_eq!(code, 3, "{out}{err}");
    let json: Value =
        serde_json::from_str(&fs::read_to_string(place.path("told/gate.json")).unwrap()).unwrap();
    assert_eq!(outcome(&json, "tg8 time"), "passed", "{out}{err}");
    assert_eq!(outcome(&json, "[[budget]] 2 accuracy"), "missing", "{out}");
    assert_eq!(outcome(&json, "drift"), "missing", "{out}");
    assert!(out.contains("no logits here"), "{out}");
    assert!(out.contains("a budget in a unit holds for the candidate alone"), "{out}");
    // A machine with a meter measures energy; without one it is missing, never a pass.
    assert!(
        ["missing", "not measured", "inconclusive", "passed"]
            .contains(&outcome(&json, "tg8 energy"))
    );
    assert_ne!(outcome(&json, "tg8 energy"), "no such row");
}

#[test]
fn what_a_side_cannot_run_is_said_in_words_and_never_passes() {
    if !has_python() {
        return;
    }
    let place = Place::new();
    // The worker dies at once: nothing can be compared.
    let flag = place.path("die");
    fs::write(&flag, "").unwrap();
    let suite_file = small(&place, "");
    let dying = behind(&format!("die={}", flag.display()));
    let (code, out, err, _) = gate(&place, &suite_file, &dying, &[]);
    assert_eq!(code, 2, "{out}{err}");
    assert!(err.contains("candidate: ") && err.contains("the proxy ran out of luck"), "{err}");
    // No worker at all, no such model, no such device.
    let (code, _, err, _) = gate(&place, &suite_file, "/bin/true", &[]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("candidate"), "{err}");
    let text = fs::read_to_string(&suite_file).unwrap();
    for (from, to, word) in [
        ("rustdoc-6m:Q8_0", "no-such-model", "no-such-model"),
        ("\"cpu\"", "\"cpu:no-such-device\"", "no-such-device"),
        ("tg8", "ppl", "no test that the gate measures"),
        ("tg8", "tgx", "tgx"),
    ] {
        fs::write(&suite_file, text.replace(from, to)).unwrap();
        let (code, out, err, _) = gate(&place, &suite_file, YARDSTICK, &[]);
        assert_eq!(code, 2, "{to}: {out}{err}");
        assert!(err.contains(word), "{to}: {err}");
    }
    let (code, _, err, _) = gate(&place, "/no/such/suite.toml", YARDSTICK, &[]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn a_device_that_only_the_base_has_is_inconclusive_beside_one_that_both_have() {
    let place = Place::new();
    let both = suite(&place, "[\"null:ok\", \"null:paced\"]", "[\"tg8\"]", "");
    let text = fs::read_to_string(&both).unwrap();
    fs::write(&both, text.replace("[options]", "verify = false\n[options]")).unwrap();
    let doubles = format!("{YARDSTICK} worker --test-doubles");
    let told = place.path("told").display().to_string();
    let run = |candidate: &str| {
        let words = ["gate", "--suite", &both, "--base", &doubles, "--candidate", candidate];
        place.run(&[&words[..], &["--output", &told, "--budget", "1", "--only", "null"]].concat())
    };
    let (code, out, err) = run(YARDSTICK);
    assert_eq!(code, 2, "{out}{err}");
    assert!(err.contains("candidate: ") && err.contains("null"), "{err}");
    if !has_python() {
        return;
    }
    let hiding = format!("{} --test-doubles", behind("hide=null:ok"));
    let (code, out, err) = run(&hiding);
    assert_eq!(code, 3, "{out}{err}");
    let json: Value =
        serde_json::from_str(&fs::read_to_string(place.path("told/gate.json")).unwrap()).unwrap();
    assert_eq!(outcome(&json, "null:ok rustdoc-6m:Q8_0 threads=1 tg8"), "only_base", "{out}");
    assert!(out.contains("the candidate does not run it: "), "{out}");
    assert_ne!(outcome(&json, "null:paced rustdoc-6m:Q8_0 threads=1 tg8 time"), "no such row");
}

/// A repository whose build makes a worker.
fn repository(folder: &Path, config: &str) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("gate.toml", config);
    write("run", &format!("#!/bin/sh\nexec '{YARDSTICK}' \"$@\"\n"));
    for words in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "-m", "one"]]
    {
        let mut git = Command::new("git");
        git.arg("-C").arg(folder).args(["-c", "user.name=a", "-c", "user.email=a@b"]);
        assert!(git.args(words).status().unwrap().success(), "{words:?}");
    }
}

#[test]
fn a_repository_of_a_worker_is_gated_by_its_gate_toml() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    repository(
        folder.path(),
        "[build]\ncommand = [\"true\"]\nprogram = \"run\"\n[bench]\nkind = \"protocol\"\narguments = [\"worker\"]\n\
         models = [\"rustdoc-6m:Q8_0\"]\ndevices = [\"cpu\"]\ntests = [\"pp16\"]\noptions = { threads = [1] }\n\
         sampling = { min_repetitions = 3, max_repetitions = 6, warm_up_seconds = 0.05 }\n\
         [[budget]]\nmetric = \"tokens_per_second\"\nthreshold = \"80 %\"\n",
    );
    let mut command = place.yardstick();
    command.current_dir(folder.path()).args(["gate", "--config", "gate.toml", "--base", "HEAD"]);
    let (code, out, err) = support::ended(
        command
            .args(["--candidate", ".", "--budget", "1", "--only", "time,drift"])
            .output()
            .unwrap(),
    );
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("pp16 time") && out.contains("the same bits"), "{out}");
}

#[test]
fn llama_cpp_is_gated_where_it_is() {
    let found = Command::new("python3").args(["-c", "import llama_cpp"]).output();
    if !found.is_ok_and(|out| out.status.success()) {
        println!("skipped: no llama-cpp-python");
        return;
    }
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../backends/external/llama_cpp.py");
    repository(
        folder.path(),
        "[build]\ncommand = [\"true\"]\nprogram = \"engine\"\n[bench]\nkind = \"protocol\"\n\
         models = [\"rustdoc-6m:Q8_0\"]\ndevices = [\"llama.cpp\"]\ntests = [\"tg8\"]\noptions = { threads = [1] }\n\
         sampling = { min_repetitions = 3, max_repetitions = 6, warm_up_seconds = 0.05 }\n",
    );
    let engine = folder.path().join("engine");
    fs::write(&engine, format!("#!/bin/sh\nexec python3 '{script}'\n")).unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = place.yardstick();
    command.current_dir(folder.path()).args(["gate", "--config", "gate.toml", "--base", "."]);
    let (code, out, err) =
        support::ended(command.args(["--candidate", ".", "--budget", "2"]).output().unwrap());
    assert!(code == 0 || code == 3, "{out}{err}");
    assert!(out.contains("tg8 time"), "{out}{err}");
}
