//! Devices that misbehave: each is classified, costs only its own cells, and leaves nothing behind.

use yardstick_record::{FailureKind, Outcome, Phase, Record};

use crate::bench::{Bench, Kept};

const TESTS: &[&str] = &["tg4", "pp8", "load"];

/// How the cells of a misbehaving device end; `None`: it does no harm.
type Expected = Option<fn(&FailureKind) -> bool>;

const TABLE: &[(&str, Expected)] = &[
    ("null:segfault", Some(|kind| matches!(kind, FailureKind::Crash { signal: 11, .. }))),
    ("null:abort", Some(|kind| matches!(kind, FailureKind::Crash { signal: 6, .. }))),
    ("null:exit", Some(|kind| matches!(kind, FailureKind::Exit { code: 3, .. }))),
    ("null:panic", Some(|kind| matches!(kind, FailureKind::Exit { code: 101, .. }))),
    ("null:oom", Some(|kind| matches!(kind, FailureKind::OutOfMemory))),
    ("null:oom-error", Some(|kind| matches!(kind, FailureKind::OutOfMemory))),
    ("null:lost", Some(|kind| matches!(kind, FailureKind::DeviceLost))),
    ("null:error", Some(|kind| matches!(kind, FailureKind::Backend))),
    // What a backend prints goes to stderr, so it cannot break the protocol.
    ("null:garbage", None),
    ("null:huge-line", None),
    ("null:ok", None),
];

fn ok<'k>(kept: &'k Kept, device: &str) -> Vec<&'k Record> {
    let records: Vec<&Record> = kept.records.iter().filter(|r| r.cell.device == device).collect();
    for record in &records {
        assert_eq!(record.outcome, Outcome::Ok, "{device} {}", record.cell.test);
        assert!((3..=4).contains(&record.samples.len()), "{device}: {}", record.samples.len());
        assert!(record.warm_up.value().is_some_and(|warm_up| warm_up.repetitions > 0));
        assert!(!record.readings.is_empty());
    }
    records
}

pub(crate) fn classified() {
    let devices: Vec<&str> = TABLE.iter().map(|(device, _)| *device).collect();
    let (summary, kept) = Bench::new(&devices, TESTS, false).run();
    assert_eq!(kept.records.len(), devices.len() * TESTS.len(), "every cell has a record");
    assert_eq!(summary.ok, 3 * TESTS.len());
    for (device, expected) in TABLE {
        let Some(expected) = expected else {
            assert_eq!(ok(&kept, device).len(), TESTS.len());
            continue;
        };
        for test in TESTS {
            let (kind, message) = kept.failure(device, test);
            assert!(expected(kind), "{device} {test}: {kind:?}: {message}");
            assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
        }
    }
    let (_, panic) = kept.failure("null:panic", "tg4");
    assert!(panic.contains("on purpose"), "the message has what the worker wrote: {panic}");
    same_as_alone(&kept);
}

/// A live heartbeat does not save a worker that makes no progress.
pub(crate) fn hanging() {
    let mut bench = Bench::new(&["null:hang", "null:hang-load", "null:ok"], TESTS, false);
    bench.impatient();
    let (summary, kept) = bench.run();
    assert_eq!((summary.ok, summary.failed), (3, 6));
    for test in TESTS {
        let timeout = |phase| FailureKind::Timeout { phase };
        assert_eq!(kept.failure("null:hang", test).0, &timeout(Phase::WarmUp));
        assert_eq!(kept.failure("null:hang-load", test).0, &timeout(Phase::Load));
    }
}

/// Neighbours that crash change nothing about a device that does not.
fn same_as_alone(kept: &Kept) {
    let (_, alone) = Bench::new(&["null:ok"], TESTS, false).run();
    for record in ok(&alone, "null:ok") {
        let beside = kept.records.iter().find(|other| other.cell == record.cell).unwrap();
        assert_eq!((&record.facts, &record.outcome), (&beside.facts, &beside.outcome));
        assert_eq!(record.verification, beside.verification);
        let work = |r: &Record| r.samples.iter().map(|s| (s.tokens, s.emits_ns.len())).next();
        assert_eq!(work(record), work(beside));
    }
}

/// Devices that pass verification and go wrong only at depth: shallow cells of the same launch are measured.
pub(crate) fn late() {
    let devices = ["null:segfault-late", "null:hang-late", "null:error-late"];
    let mut bench = Bench::new(&devices, &["tg4", "pp8", "tg4@d64"], true);
    bench.impatient();
    let (summary, kept) = bench.run();
    assert_eq!(kept.records.len(), 9);
    assert_eq!((summary.ok, summary.failed), (6, 3));
    for device in devices {
        for test in ["tg4", "pp8"] {
            assert_eq!(kept.outcome(device, test), &Outcome::Ok);
        }
    }
    let phase = |kind: &FailureKind| match kind {
        FailureKind::Crash { phase, .. } | FailureKind::Timeout { phase } => Some(*phase),
        _ => None,
    };
    assert_eq!(phase(kept.failure(devices[0], "tg4@d64").0), Some(Phase::Prepare));
    assert_eq!(phase(kept.failure(devices[1], "tg4@d64").0), Some(Phase::Prepare));
    assert_eq!(kept.failure(devices[2], "tg4@d64").0, &FailureKind::Backend);
}

/// A lost device gets one more try in a fresh worker; lost again, it is left alone for the rest of the run.
pub(crate) fn lost_twice() {
    let mut bench = Bench::new(&["null:lost-late", "null:ok"], &["tg4", "tg4@d64", "pp8"], true);
    bench.overrides.launches = Some(2);
    let (summary, kept) = bench.run();
    assert_eq!(kept.records.len(), 12, "every cell of both launches has a record");
    // Which of the first launch's cells come before the loss is the seed's business.
    assert_eq!((summary.ok + summary.failed, summary.skipped), (9, 3));
    let retries = kept.notes.iter().filter(|note| note.contains("once more in a fresh worker"));
    assert_eq!(retries.count(), 1, "{:?}", kept.notes);
    let lost: Vec<&Record> =
        kept.records.iter().filter(|record| record.cell.device == "null:lost-late").collect();
    let (first, second) = lost.split_at(3);
    for record in first {
        let lost = matches!(record.outcome, Outcome::Failed { kind: FailureKind::DeviceLost, .. });
        let deep = record.cell.test.to_string() == "tg4@d64";
        assert!(lost || (!deep && record.outcome == Outcome::Ok), "{:?}", record.outcome);
    }
    for record in second {
        let Outcome::Skipped { reason, fix } = &record.outcome else {
            panic!("{:?}", record.outcome)
        };
        assert!(reason.contains("quarantined") && fix.is_some(), "{reason}");
    }
}
