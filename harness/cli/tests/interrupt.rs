//! Ctrl-C keeps what was measured, leaves no worker behind, and the run can be continued.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Place, cache, ended};

/// 24 cells, each of about a tenth of a second.
const SUITE: &str = r#"
name = "short"
analysis = "Many short cells, to be interrupted between."
tests = ["pp8", "tg16", "tg8"]
models = ["tiny:Q4_0"]
devices = ["cpu"]
launches = 8

[sampling]
min_repetitions = 20
max_repetitions = 20
max_seconds = 1.0
warm_up_seconds = 0.05
"#;

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Workers of this place: they carry its data folder in their environment.
fn workers(place: &Place) -> usize {
    let mark = place.path("").display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let environments =
        processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|e| String::from_utf8_lossy(e).contains(mark.trim_end_matches('/'))).count()
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_resume_does_the_rest() {
    let place = Place::new();
    place.run(&["model", "make", "tiny:Q4_0"]);
    let suite = place.path("short.toml");
    std::fs::write(&suite, SUITE).unwrap();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("yardstick"))
        .env("YARDSTICK_DATA", place.path(""))
        .env("YARDSTICK_CACHE", cache())
        .args(["run", "--json", "--seed", "3", "--suite"])
        .arg(&suite)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("\"schema\""), "no first record");
    signal("-INT", child.id());
    let began = Instant::now();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    let (code, _, err) = ended(child.wait_with_output().unwrap());
    assert_eq!(code, 130, "{err}");
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?} to stop", began.elapsed());
    assert!(err.contains("--resume"), "{err}");
    if cfg!(target_os = "linux") {
        assert_eq!(workers(&place), 0, "a worker was left behind");
    }

    let (_, list, _) = place.run(&["report", "--list"]);
    assert!(list.contains("cut short") && !list.contains("0 records"), "{list}");
    let (code, out, err) = place.run(&["run", "--resume", "--json"]);
    assert_eq!(code, 0, "{err}");
    let before = 1 + rest.lines().filter(|line| line.contains("\"status\":\"ok\"")).count();
    assert_eq!(before + out.lines().count(), 24, "every cell once");
    let (_, list, _) = place.run(&["report", "--list"]);
    assert!(list.contains("complete"), "{list}");
    let (code, _, err) = place.run(&["run", "--resume"]);
    assert!(code == 2 && err.contains("nothing to resume"), "{err}");
}
