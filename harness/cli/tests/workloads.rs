//! Workloads from the command line: the suites by name, the flag, and the line that measures a cell again.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::Place;
use yardstick_record::{Outcome, Workload};

#[test]
fn conversations_and_requests_are_measured_and_told_again_by_their_rerun_line() {
    let place = Place::new();
    let keys = "most_tokens = 2, rate = 50, requests = 10, prompt = [4, 8], answer = [2, 4]";
    let (code, records, err) = place.records(&[
        "-d",
        "cpu",
        "-m",
        "rustdoc-6m:Q8_0",
        "-t",
        "chat,serve",
        "--sequences",
        "2",
        "--workload",
        keys,
    ]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(record.outcome, Outcome::Ok, "{}", record.cell.test);
        match record.workload.as_deref() {
            Some(Workload::Chat(chat)) => {
                assert!(chat.tokens.contains("own tokenizer"), "{}", chat.tokens);
                assert!(record.rerun.contains("--workload 'most_tokens = 2'"), "{}", record.rerun);
            }
            Some(Workload::Serve(serve)) => {
                assert_eq!((serve.slots, serve.trials[0].requests.len()), (2, 10));
                assert!(record.rerun.contains("requests = 10"), "{}", record.rerun);
            }
            other => panic!("{other:?}"),
        }
    }
    let (code, out, err) = place.run(&["report"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Conversations:") && out.contains("Requests:"), "{out}");
}

#[test]
fn a_key_that_is_none_and_a_value_out_of_range_are_errors_before_anything_runs() {
    for (keys, expected) in [
        ("rte = 4", "unknown field `rte`"),
        ("rate = 0", "workload rate: found 0, expected requests per second above 0"),
        ("conversations = \"/nonexistent.toml\"", "/nonexistent.toml"),
    ] {
        let tests = "chat,serve";
        let flags = ["run", "-d", "cpu", "-m", "tiny:Q4_0", "-t", tests, "--workload", keys];
        let (code, _, err) = Place::new().run(&flags);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(expected), "{err}");
    }
}

#[test]
fn hard_inputs_have_the_outcome_they_should_on_the_trained_model() {
    let (code, records, err) =
        Place::new().records(&["--suite", "robustness", "-d", "cpu", "-m", "rustdoc-6m:Q8_0"]);
    assert_eq!(code, 0, "{err}");
    let Some(Workload::Robust(robust)) = records[0].workload.as_deref() else { panic!() };
    for check in &robust.checks {
        assert_ne!(check.passed, Some(false), "{check:?}");
    }
    let tried = robust.checks.iter().filter(|check| check.passed.is_some()).count();
    assert!(tried >= 11, "a cancel may come too late, nothing else: {:?}", robust.checks);
}
