//! Several programs in one run: builds under labels, programs of other kinds, and those that do not start.

use std::sync::atomic::AtomicBool;

use yardstick_api::DeviceStatus;
use yardstick_measure::plan::Role;
use yardstick_measure::runner::{RunError, Worker, WorkerCommand, inventory};
use yardstick_measure::suite::Deadlines;
use yardstick_record::{Outcome, VerificationStatus};

use crate::bench::{Bench, this_program};

fn build(label: &str, command: WorkerCommand) -> Worker {
    Worker::new(Role::Build(label.to_owned()), command, None)
}

pub(crate) fn external(name: &str, command: WorkerCommand) -> Worker {
    Worker::new(Role::External(name.to_owned()), command, Some("install it".to_owned()))
}

fn shell(script: &str) -> WorkerCommand {
    WorkerCommand { program: "sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] }
}

fn labels(bench: &Bench) -> (Vec<String>, Vec<yardstick_record::Record>) {
    let (_, kept) = bench.run();
    let label = |r: &yardstick_record::Record| r.cell.build.clone().unwrap_or_default();
    let mut labels: Vec<String> = kept.records.iter().map(label).collect();
    labels.sort();
    (labels, kept.records)
}

pub(crate) fn builds() {
    let mut bench = Bench::new(&["null:ok"], &["tg4"], true);
    bench.others =
        vec![build("base", this_program("worker")), build("candidate", this_program("worker"))];
    let (found, records) = labels(&bench);
    assert_eq!(found, ["base", "candidate"], "the same device is run by each");
    for record in &records {
        assert_eq!(record.outcome, Outcome::Ok);
        assert_eq!(record.verification.status, VerificationStatus::Passed);
        assert_eq!(record.tool.name, "yardstick");
        let identity = record.tool.build.value().unwrap();
        assert!(identity.contains(", sha256 ") && !identity.contains('/'), "{identity}");
    }
    assert_ne!(records[0].cell.key(), records[1].cell.key());
}

/// A build or a program that cannot be asked costs its own cells.
pub(crate) fn missing() {
    let old = r#"read l; echo '{"reply":{"id":1,"answer":{"hello":{"protocol":0,"name":"old","version":"0","backends":[]}}}}'; read l"#;
    let bad = r#"read l; echo '{"reply":{"id":1,"answer":{"hello":{"protocol":1,"name":"x","version":"0","backends":["a\u001bb"]}}}}'; read l"#;
    let none = r#"read l; echo '{"reply":{"id":1,"answer":{"hello":{"protocol":1,"name":"x","version":"0","backends":["other"]}}}}'; read l"#;
    let absent = WorkerCommand { program: "/nonexistent".into(), arguments: Vec::new() };
    for (command, why) in [
        (absent, "cannot start /nonexistent"),
        (shell("exit 5"), "exit code 5"),
        (shell("echo gone >&2; kill -9 $$"), "it wrote: gone"),
        (shell(old), "speaks protocol 0, expected 1"),
        (shell(bad), r#"names a backend "a\\u{1b}b""#),
        (shell(none), "none is peer"),
    ] {
        let mut bench = Bench::new(&["null:ok", "peer"], &["tg4"], false);
        bench.others = vec![external("peer", command)];
        let (summary, kept) = bench.run();
        assert_eq!((summary.ok, summary.skipped), (1, 1), "{why}");
        match kept.outcome("peer", "tg4") {
            Outcome::Skipped { reason, fix } => {
                assert!(reason.contains(why) && reason.contains("worker peer"), "{why}: {reason}");
                assert_eq!(fix.as_deref(), Some("install it"));
            }
            other => panic!("{why}: {other:?}"),
        }
    }
    let mut bench = Bench::new(&["null:ok"], &["tg4"], false);
    bench.others = vec![build("base", shell("exit 5")), build("candidate", this_program("worker"))];
    let (found, records) = labels(&bench);
    assert_eq!(found, ["base", "candidate"]);
    let base = records.iter().find(|r| r.cell.build.as_deref() == Some("base")).unwrap();
    assert!(
        matches!(&base.outcome, Outcome::Skipped { reason, .. } if reason.contains("exit code 5")),
        "{:?}",
        base.outcome
    );
}

/// A selector means one thing.
pub(crate) fn claimed() {
    let workers = [Worker::own(this_program("worker")), external("null", this_program("worker"))];
    let never = AtomicBool::new(false);
    let error = inventory(&workers, &Deadlines::default(), &never).unwrap_err();
    assert!(matches!(error, RunError::Claimed { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("device null:ok is claimed by two workers"), "{error}");
    assert!(error.contains("this program and worker null"), "{error}");
}

/// Names and words of another program are checked before they reach a selector or a terminal.
pub(crate) fn untrusted() {
    let list = |devices: &str| {
        let hello = r#"{"reply":{"id":1,"answer":{"hello":{"protocol":1,"name":"x","version":"0","backends":["peer"]}}}}"#;
        let answer =
            format!(r#"{{"reply":{{"id":2,"answer":{{"devices":{{"devices":[{devices}]}}}}}}}}"#);
        let script = format!("read l; echo '{hello}'; read l; printf '%s\\n' '{answer}'; read l");
        let workers = [Worker::own(this_program("worker")), external("peer", shell(&script))];
        let never = AtomicBool::new(false);
        let found = inventory(&workers, &Deadlines::default(), &never).unwrap();
        found.backends.last().unwrap().devices.clone()
    };
    let missing = |id: &str, reason: &str| {
        format!(r#"{{"missing":{{"id":"{id}","reason":"{reason}","fix":null}}}}"#)
    };
    for (devices, expected) in [
        (missing("peer:0", "a\\u001b[31mb"), r"a\u{1b}[31mb"),
        (missing("cpu:0", "x"), "lists cpu:0, which is not its own"),
        (missing("peer:a b", "x"), "no device's id"),
        (missing("peer:", "x"), "no device's id"),
        (format!("{0},{0}", missing("peer:0", "x")), "lists peer:0 twice"),
    ] {
        let found = list(&devices);
        let [DeviceStatus::Missing { reason, .. }] = found.as_slice() else { panic!("{found:?}") };
        assert!(reason.contains(expected), "{reason}");
    }
}
