//! The worked example of backends/PROTOCOL.md is run: the skeleton in Python between its code fences.

use std::process::Command;

use yardstick_measure::plan::Role;
use yardstick_measure::runner::{Worker, WorkerCommand};
use yardstick_record::{Outcome, VerificationStatus};

use crate::bench::Bench;

const CONTRACT: &str = include_str!("../../../../backends/PROTOCOL.md");

/// The worked example, if there is a Python to run it.
pub(crate) fn example() -> Option<String> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("skipped: no python3");
        return None;
    }
    let program = CONTRACT.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    Some(program.to_owned())
}

pub(crate) fn python(program: String) -> WorkerCommand {
    WorkerCommand { program: "python3".into(), arguments: vec!["-c".to_owned(), program] }
}

pub(crate) fn worker() {
    let Some(program) = example() else { return };
    let mut bench = Bench::new(&["snake:0"], &["tg4", "pp8", "ttft4", "load"], false);
    bench.worker = python(program);
    let (summary, kept) = bench.run();
    for record in &kept.records {
        assert_eq!(record.outcome, Outcome::Ok, "{}", record.cell.test);
        assert!(record.samples.len() >= 3);
    }
    assert_eq!(summary.ok, 4);
}

pub(crate) fn unverifiable() {
    let Some(program) = example() else { return };
    let answer = r#"elif name == "observe":
        answer = {"unverifiable": {"reason": "no logits"}}
    elif name == "prepare":"#;
    let program = program.replace(r#"elif name == "prepare":"#, answer);
    let mut bench = Bench::new(&["snake:0"], &["tg4"], true);
    bench.others = vec![Worker::new(Role::External("snake".to_owned()), python(program), None)];
    let (summary, kept) = bench.run();
    assert_eq!(*kept.outcome("snake:0", "tg4"), Outcome::Ok);
    let reason = "unverified: no logits".to_owned();
    assert_eq!(kept.records[0].verification.status, VerificationStatus::Skipped { reason });
    assert_eq!((summary.verified, summary.unverified, summary.without_logits), (0, 0, 1));
    assert_eq!(kept.records[0].tool.name, "snake", "the record names the program that ran");
}
