//! The worked example of backends/PROTOCOL.md is run: the skeleton in Python between its code fences.

use std::process::Command;

use yardstick_measure::runner::WorkerCommand;
use yardstick_record::Outcome;

use crate::bench::Bench;

const CONTRACT: &str = include_str!("../../../../backends/PROTOCOL.md");

pub(crate) fn worker() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("skipped: no python3");
        return;
    }
    let program = CONTRACT.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let mut bench = Bench::new(&["snake:0"], &["tg4", "pp8", "ttft4", "load"], false);
    bench.worker = WorkerCommand {
        program: "python3".into(),
        arguments: vec!["-c".to_owned(), program.to_owned()],
    };
    let (summary, kept) = bench.run();
    for record in &kept.records {
        assert_eq!(record.outcome, Outcome::Ok, "{}", record.cell.test);
        assert!(record.samples.len() >= 3);
    }
    assert_eq!(summary.ok, 4);
}
