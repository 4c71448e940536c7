//! The main job end to end: verified, measured, stored, shown.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{Place, SHORT};
use yardstick_record::{Outcome, VerificationStatus};

#[test]
fn a_run_verifies_measures_stores_and_reports() {
    let place = Place::new();
    let arguments = [
        &[
            "run",
            "-m",
            "tiny:Q4_0,Q4_K_M",
            "-d",
            "cpu,reference",
            "--kv",
            "f32",
            "-t",
            "pp16,tg8@d0,16,ttft16,load",
        ],
        &SHORT[..],
    ];
    let (code, out, err) = place.run(&arguments.concat());
    assert_eq!(code, 0, "{out}{err}");
    for word in
        ["tiny:Q4_0", "tiny:Q4_K_M", "reference:f32", "pp16", "tg8@d16", "ttft16", "load", "passed"]
    {
        assert!(out.contains(word), "no {word} in\n{out}");
    }
    let page = out.lines().last().unwrap().strip_prefix("report: ").unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("tiny:Q4_K_M") && !page.contains("src=\"http"),
        "the page is not self-contained"
    );

    let (code, list, _) = place.run(&["report", "--list"]);
    assert!(code == 0 && list.contains("20 records: 20 ok") && list.contains("complete"), "{list}");
    for format in ["markdown", "csv", "json", "terminal"] {
        let (code, out, err) = place.run(&["report", "-f", format]);
        assert!(
            code == 0 && out.contains("tiny:Q4_0") && out.contains("pp16"),
            "{format}: {out}{err}"
        );
    }
}

#[test]
fn json_records_are_sealed_complete_and_can_be_run_again() {
    let place = Place::new();
    let (code, records, err) = place.records(
        &[&["-m", "tiny:Q8_0", "-d", "cpu", "-t", "tg8", "--threads", "1"], &SHORT[..]].concat(),
    );
    assert_eq!((code, records.len()), (0, 1), "{err}");
    let record = &records[0];
    assert_eq!(record.outcome, Outcome::Ok);
    assert_eq!(record.verification.status, VerificationStatus::Passed);
    assert!(record.samples.len() >= 2);
    for sample in &record.samples {
        assert_eq!(sample.emits_ns.len(), 8, "a stamp a token");
        assert!(
            sample.emits_ns.is_sorted() && *sample.emits_ns.last().unwrap() <= sample.nanoseconds
        );
    }
    let facts = record.facts.value().unwrap();
    assert_eq!(facts.threads.value(), Some(&1), "effective threads");
    assert!(record.ceiling.value().is_some_and(|ceiling| ceiling.bytes_per_second > 1e8));
    assert!(record.environment.text("cpu.model").is_some());
    assert!(record.cell.model.random_weights.is_some());

    let (code, out, err) = place.run(&["rerun", &record.id[..12]]);
    assert!(code == 0 && out.contains("tg8") && out.contains("passed"), "{out}{err}");
    let (_, list, _) = place.run(&["report", "--list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    let rerun = list.lines().last().and_then(|line| line.split_whitespace().next()).unwrap();
    let (_, lines, _) = place.run(&["export", rerun]);
    let again = yardstick_record::Record::from_json(lines.trim()).unwrap();
    assert_eq!(again.run.command[0], "run", "what `run --resume` understands");
    assert_eq!(again.cell, record.cell);
}

#[test]
fn lists_sweep_as_a_cross_product() {
    let place = Place::new();
    let flags = [
        "--threads",
        "1,2",
        "--kv",
        "f16,f32",
        "-t",
        "pp8,tg4@d0,8",
        "-m",
        "tiny:Q4_0",
        "-d",
        "cpu",
    ];
    let (code, out, err) = place.run(&[&["run", "--plan"], &flags[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("4 launches, 12 cells"), "{out}");
    assert!(!place.path("records.sqlite").exists(), "a plan must not touch the store");
}

#[test]
fn verify_only_stops_after_the_verdict() {
    let place = Place::new();
    let (code, out, err) = place.run(&["run", "--verify-only", "-m", "tiny:Q6_K", "-d", "cpu:*"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("verified") && err.contains("cpu:scalar"), "{err}");
}

#[test]
fn records_travel_as_json_lines_and_only_unchanged_ones_arrive() {
    let (here, there) = (Place::new(), Place::new());
    let (code, _, err) =
        here.records(&[&["-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8,tg4"], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    let file = here.path("out.jsonl");
    let name = file.to_str().unwrap();
    assert_eq!(here.run(&["export", "-o", name]).0, 0);
    let (code, out, _) = there.run(&["import", name]);
    assert!(code == 0 && out.contains("2 records stored"), "{out}");
    let (code, out, _) = there.run(&["import", name]);
    assert!(code == 0 && out.contains("0 records stored, 2 there already"), "{out}");
    assert_eq!(there.run(&["report"]).0, 0);

    let forged = std::fs::read_to_string(&file).unwrap().replace("\"launch\":0", "\"launch\":1");
    std::fs::write(&file, forged + "nonsense\n").unwrap();
    let (code, out, err) = there.run(&["import", name]);
    assert!(
        code == 1 && out.contains("3 refused") && err.contains("changed after it was written"),
        "{out}{err}"
    );
}

#[test]
fn compare_shows_two_runs_and_refuses_an_unknown_one() {
    let place = Place::new();
    let flags = [&["-m", "tiny:Q4_0", "-d", "cpu", "-t", "pp8"], &SHORT[..]].concat();
    let runs: Vec<String> = (0..2).map(|_| place.records(&flags).1[0].run.id.clone()).collect();
    let (code, out, err) = place.run(&["compare", &runs[0], &runs[1]]);
    assert!(code == 0 && out.contains("pp8"), "{out}{err}");
    let (code, _, err) = place.run(&["compare", &runs[0], "nothing"]);
    assert!(code == 2 && err.contains("nothing"), "{err}");
}
