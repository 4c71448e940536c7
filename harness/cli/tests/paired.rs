//! Pairs, builds and other programs from the command line: planned, measured, stored, run again, resumed.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{Place, SHORT};
use yardstick_record::{Outcome, Record, Turn};

const PAIR: [&str; 9] =
    ["-m", "tiny:Q4_0", "-d", "cpu:scalar,reference", "-t", "pp8,tg4", "--kv", "f32", "--paired"];

fn members(record: &Record) -> Vec<String> {
    let mut members = record.pairing.as_ref().unwrap().members.clone();
    members.sort();
    members
}

#[test]
fn a_pair_is_planned_measured_and_run_again() {
    let place = Place::new();
    let (code, out, err) = place.run(&[&["run", "--plan", "--launches", "2"], &PAIR[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("4 launches in 2 pairs, 8 cells"), "{out}");
    assert!(out.contains("pair 0: ") && out.contains("pair 1: "), "{out}");

    let (code, records, err) = place.records(&[&PAIR[..], &SHORT[..]].concat());
    assert_eq!((code, records.len()), (0, 4), "{err}");
    for record in &records {
        assert_eq!(record.outcome, Outcome::Ok, "{err}");
        assert_eq!(members(record), ["cpu:scalar", "reference:f32"]);
        assert_eq!(record.pairing.as_ref().unwrap().unit, Turn::Samples);
        let other = |r: &&Record| r.pairing == record.pairing && r.id != record.id;
        let other = records.iter().find(other).unwrap();
        assert_eq!(record.samples.len(), other.samples.len());
    }
    let (code, out, err) = place.run(&["rerun", &records[0].id]);
    assert_eq!(code, 0, "{out}{err}");
    let (_, list, _) = place.run(&["report", "--list"]);
    assert!(
        list.lines().last().unwrap().contains("2 records: 2 ok"),
        "the pair is measured: {list}"
    );
}

#[test]
fn builds_are_labelled_and_never_started_by_a_record() {
    let place = Place::new();
    let program = assert_cmd::cargo::cargo_bin("yardstick");
    let build = |label: &str| format!("{label}={}", program.display());
    let (base, candidate) = (build("base"), build("candidate"));
    let flags = ["-m", "tiny:Q4_0", "-d", "cpu", "-t", "tg4", "--paired"];
    let builds = ["--build", base.as_str(), "--build", candidate.as_str()];
    let (code, records, err) = place.records(&[&flags[..], &builds[..], &SHORT[..]].concat());
    assert_eq!((code, records.len()), (0, 2), "{err}");
    let mut labels: Vec<_> = records.iter().map(|r| r.cell.build.clone().unwrap()).collect();
    labels.sort();
    assert_eq!(labels, ["base", "candidate"]);
    assert!(members(&records[0])[0].ends_with(" base"), "{:?}", members(&records[0]));
    for record in &records {
        assert_eq!(record.outcome, Outcome::Ok, "{err}");
        assert!(record.tool.build.value().unwrap().contains("sha256"), "{:?}", record.tool);
    }
    let (code, _, err) = place.run(&["rerun", &records[0].id]);
    assert_eq!(code, 2, "a record may not start a program");
    assert!(err.contains("if you trust it, add --build base="), "{err}");
    let (code, out, err) = place.run(&[&["rerun", records[0].id.as_str()], &builds[..]].concat());
    assert_eq!(code, 0, "{out}{err}");

    let (code, _, err) = place.run(&["run", "--build", "base=/nonexistent", "-d", "cpu", "--plan"]);
    assert!(code == 2 && err.contains("is not a file"), "{err}");
    let (code, _, err) = place.run(&["run", "--paired", "-d", "cpu", "--plan"]);
    assert!(code == 2 && err.contains("nothing to take turns with"), "{err}");
}

#[test]
fn noise_is_measured_with_one_flag() {
    let place = Place::new();
    let flags = ["--noise", "-m", "tiny:Q4_0", "-d", "cpu:scalar", "-t", "tg4", "--launches", "2"];
    let (code, records, err) = place.records(&[&flags[..], &SHORT[..]].concat());
    assert_eq!((code, records.len()), (0, 4), "{err}");
    for record in &records {
        assert_eq!(record.run.suite, "noise");
        assert_eq!(members(record), ["cpu:scalar a", "cpu:scalar b"]);
        assert!(record.rerun.ends_with("--noise"), "{}", record.rerun);
    }
    let (code, out, err) = place.run(&["rerun", &records[0].id]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn a_program_that_does_not_start_is_skipped_with_its_reason() {
    let place = Place::new();
    let flags = ["-m", "tiny:Q4_0", "-d", "cpu,peer,llama.cpp", "-t", "tg4"];
    let worker = ["--worker", "peer='/nonexistent/peer' --flag"];
    let python = ["--python", "/nonexistent/python"];
    let (code, records, err) =
        place.records(&[&flags[..], &worker[..], &python[..], &SHORT[..]].concat());
    assert_eq!((code, records.len()), (0, 3), "{err}");
    let skipped =
        |device: &str| match &records.iter().find(|r| r.cell.device == device).unwrap().outcome {
            Outcome::Skipped { reason, fix } => (reason.clone(), fix.clone()),
            other => panic!("{other:?}"),
        };
    assert!(skipped("peer").0.contains("cannot start /nonexistent/peer"));
    assert!(skipped("llama.cpp").1.unwrap().contains("pip install llama-cpp-python"));
    let (code, out, _) = place.run(&["devices", "--python", "/nonexistent/python"]);
    assert!(code == 0 && out.contains("llama.cpp") && out.contains("missing"), "{out}");
}

#[test]
fn a_typing_error_in_an_except_is_an_error() {
    let place = Place::new();
    let suite = place.path("s.toml");
    let text = "name = 's'\nanalysis = 'a'\ntests = ['pp8']\nmodels = ['tiny:Q4_0']\ndevices = ['cpu']\n\
                [[except]]\ndevices = ['cpu:avx22']\nreason = 'r'\n";
    std::fs::write(&suite, text).unwrap();
    let (code, _, err) = place.run(&["run", "--plan", "--suite", suite.to_str().unwrap()]);
    assert!(code == 2 && err.contains("\"cpu:avx22\" matches nothing"), "{err}");
}
