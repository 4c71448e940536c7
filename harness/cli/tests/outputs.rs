//! Outputs that are closed, full or somebody else's: nothing panics, nothing is lost, nothing is overwritten.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use support::{Place, SHORT, cache};

const RUN: [&str; 7] = ["run", "-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8"];

fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("yardstick"));
    command.args(arguments).env("YARDSTICK_DATA", place.path(".")).env("YARDSTICK_CACHE", cache());
    command
}

#[test]
fn a_run_whose_outputs_nobody_reads_is_stored_and_reported() {
    for flag in ["--json", "--launches=1"] {
        let place = Place::new();
        let mut command = command(&place, &[&RUN[..], &SHORT[..], &[flag]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{flag}");
        let (_, list, _) = place.run(&["report", "--list"]);
        assert!(list.contains("1 records: 1 ok") && list.contains("complete"), "{flag}: {list}");
        assert_eq!(fs::read_dir(place.path("reports")).unwrap().count(), 1, "{flag}");
    }
}

#[test]
fn a_full_standard_output_is_an_error_of_every_verb_and_never_a_panic() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full");
        return;
    };
    let place = Place::new();
    let (code, _, err) = place.run(&[&RUN[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    let page = place.path("page.html");
    let cases: [&[&str]; 6] = [
        &["run", "--plan", "-m", "tiny:Q4_0", "-t", "pp8"],
        &[&RUN[..], &SHORT[..]].concat(),
        &["model", "make", "tiny:Q4_0"],
        &["report"],
        &["report", "-f", "html", "-o", page.to_str().unwrap()],
        &["import", "/dev/null"],
    ];
    for case in cases {
        let mut command = command(&place, case);
        let mut child =
            command.stdout(full.try_clone().unwrap()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(2), "{case:?}: {err}");
        assert!(err.contains("os error 28") && !err.contains("panicked"), "{case:?}: {err}");
    }
    let (_, list, _) = place.run(&["report", "--list"]);
    assert_eq!(list.matches("1 records: 1 ok").count(), 2, "{list}");
}

#[test]
fn reports_and_logits_do_not_overwrite_what_they_are_made_from() {
    let place = Place::new();
    assert_eq!(place.run(&[&RUN[..], &SHORT[..]].concat()).0, 0);
    let store = place.path("records.sqlite");
    let before = fs::read(&store).unwrap();
    let store = store.to_str().unwrap();
    let made = place.run(&["model", "make", "tiny:Q4_0"]).1;
    let model = place.path("own.gguf");
    fs::copy(made.split_whitespace().nth(2).unwrap(), &model).unwrap();
    let length = fs::metadata(&model).unwrap().len();
    let model = model.to_str().unwrap();
    let cases: [&[&str]; 4] = [
        &["report", "-o", store],
        &["export", "-o", store],
        &[&RUN[..], &["--html", store]].concat(),
        &["model", "logits", model, "--tokens", "1", "--out", model],
    ];
    for case in cases {
        let (code, _, err) = place.run(case);
        assert!(code == 2 && err.contains("name another file"), "{case:?}: {err}");
    }
    assert_eq!(fs::read(store).unwrap(), before);
    assert_eq!(fs::metadata(model).unwrap().len(), length);
    // An older answer stays when a newer one fails.
    let out = place.path("logits");
    fs::write(&out, "older").unwrap();
    let out = out.to_str().unwrap();
    let (code, _, err) = place.run(&["model", "logits", model, "--tokens", "99999", "--out", out]);
    assert!(code == 2 && err.contains("99999"), "{err}");
    assert_eq!(fs::read(out).unwrap(), b"older");
    let (code, _, err) = place.run(&["export", "no-such-run", "-o", out]);
    assert!(code == 2 && err.contains("no-such-run"), "{err}");
    assert_eq!(fs::read(out).unwrap(), b"older");
}

#[cfg(unix)]
#[test]
fn names_cannot_steer_the_terminal_and_a_pipe_is_no_model() {
    let place = Place::new();
    let made = place.run(&["model", "make", "tiny:Q4_0"]).1;
    let model = place.path("a\u{1b}[31mb.gguf");
    fs::copy(made.split_whitespace().nth(2).unwrap(), &model).unwrap();
    let flags = ["run", "-m", model.to_str().unwrap(), "-d", "cpu", "-t", "pp8"];
    let (code, out, err) = place.run(&[&flags[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("[31mb.gguf"), "{err}");
    assert!(!err.contains('\u{1b}') && !out.contains('\u{1b}'), "{err}{out}");
    let pipe = place.path("pipe.gguf");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let cases: [&[&str]; 3] = [
        &["model", "quantize", pipe, "out.gguf", "Q8_0"],
        &["model", "inspect", pipe],
        &["report", "--store", pipe],
    ];
    for case in cases {
        let (code, _, err) = place.run(case);
        assert!(code == 2 && err.contains("regular file"), "{case:?}: {err}");
    }
}

#[test]
fn runs_of_the_same_cell_are_compared_side_by_side() {
    let place = Place::new();
    for _ in 0..2 {
        assert_eq!(place.run(&[&RUN[..], &SHORT[..]].concat()).0, 0);
    }
    let (_, list, _) = place.run(&["report", "--list"]);
    let runs: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let (code, table, err) = place.run(&["compare", runs[0], runs[1], "-f", "csv"]);
    // Speed and memory on two sides, and the header.
    assert_eq!((code, table.lines().count()), (0, 5), "{table}{err}");
    assert!(runs.iter().all(|run| table.contains(run)), "{table}");
}
