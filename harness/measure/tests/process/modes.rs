//! The fifteen ways in which a worker fails, all in one run beside a device that does not: each is classified, no process is left, none
//! takes longer than its deadline and five seconds, and what behaves is measured as if it were alone.

use std::time::{Duration, Instant};

use yardstick_measure::runner::WorkerCommand;
use yardstick_record::{FailureKind, Outcome, Record};

use crate::bench::{Bench, Kept, this_program};
use crate::orphans;
use crate::workers::external;

/// The deadline of a phase here, seconds; a memory bomb takes a while to fill what it may.
const DEADLINE: f64 = 1.5;
const WARM_UP: f64 = 5.0;

/// What a mode is found out as: a class of failure, an invalid record, a missing device, or nothing but that it was cleaned up.
enum Found {
    Failed(fn(&FailureKind) -> bool),
    Invalid(&'static str),
    Missing(&'static str),
    Cleaned,
}

use Found::{Cleaned, Failed, Invalid, Missing};

const PROTOCOL: Found = Failed(|kind| matches!(kind, FailureKind::Protocol));
const TIMEOUT: Found = Failed(|kind| matches!(kind, FailureKind::Timeout { .. }));

/// The mode, the device that shows it, and what it is found out as.
const MODES: [(&str, &str, Found); 15] = [
    ("exit", "null:exit", Failed(|kind| matches!(kind, FailureKind::Exit { code: 3, .. }))),
    (
        "SIGSEGV",
        "null:segfault",
        Failed(|kind| matches!(kind, FailureKind::Crash { signal: 11, .. })),
    ),
    ("abort", "null:abort", Failed(|kind| matches!(kind, FailureKind::Crash { signal: 6, .. }))),
    ("hang before the hello", "mute", Missing("starting took longer than")),
    ("hang mid-run", "null:hang", TIMEOUT),
    ("live heartbeat, stuck progress", "liar:stuck", TIMEOUT),
    ("1 GiB of output", "liar:flood", PROTOCOL),
    ("half a frame", "liar:half", PROTOCOL),
    ("NaN", "liar:nan", PROTOCOL),
    ("negative time", "liar:negative", PROTOCOL),
    ("wrong tokens", "liar:too-few-tokens", Invalid("counts 1 tokens")),
    ("orphan in a session of its own", "liar:orphan", Cleaned),
    ("memory bomb", "null:oom", Failed(|kind| matches!(kind, FailureKind::OutOfMemory))),
    ("SIGTERM ignored", "liar:deaf", TIMEOUT),
    ("stale protocol", "old", Missing("speaks protocol 0, expected 1")),
];

fn shell(script: &str) -> WorkerCommand {
    WorkerCommand { program: "sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] }
}

/// The liars, who ignore being told to leave: an ignored signal stays ignored across `exec`.
fn deaf_liars() -> WorkerCommand {
    let liar = this_program("liar");
    let script = format!("trap '' TERM; exec '{}' liar", liar.program.display());
    shell(&script)
}

pub(crate) fn fifteen() {
    let devices: Vec<&str> =
        MODES.iter().map(|(_, device, _)| *device).chain(["null:ok"]).collect();
    let mut bench = Bench::new(&devices, &["tg4"], false);
    bench.suite = bench.suite.replace("warm_up = 60", &format!("warm_up = {WARM_UP}"));
    bench.suite = bench.suite.replace("sample = 60", &format!("sample = {DEADLINE}"));
    bench.suite = bench.suite.replace("[deadlines]", &format!("[deadlines]\nhello = {DEADLINE}"));
    let old = r#"read l; echo '{"reply":{"id":1,"answer":{"hello":{"protocol":0,"name":"old","version":"0","backends":[]}}}}'; read l"#;
    bench.others = vec![
        external("mute", shell("sleep 1000")),
        external("old", shell(old)),
        external("liar", deaf_liars()),
    ];
    let start = Instant::now();
    let (summary, kept) = bench.run();
    let took = start.elapsed();
    assert_eq!(kept.records.len(), devices.len(), "every cell has a record");
    for (mode, device, found) in &MODES {
        check(mode, kept.outcome(device, "tg4"), found);
    }
    assert_eq!(summary.ok, 2, "the one that behaves, and the one whose child was cleaned up");
    orphans::none_sleeps();
    // Hangs take their deadline and what it takes to end them; the others next to nothing.
    let hangs = MODES.iter().filter(|(_, _, found)| matches!(found, Failed(is) if is(&timeout())));
    let most = (hangs.count() + 2) as f64 * (WARM_UP + 5.0);
    assert!(took < Duration::from_secs_f64(most), "{took:?}, at most {most} s");
    same_as_alone(&kept);
}

fn timeout() -> FailureKind {
    FailureKind::Timeout { phase: yardstick_record::Phase::Sample }
}

fn check(mode: &str, outcome: &Outcome, found: &Found) {
    match (outcome, found) {
        (Outcome::Failed { kind, message }, Failed(is)) => {
            assert!(is(kind) && !message.is_empty(), "{mode}: {kind:?}: {message}");
        }
        (Outcome::Invalid { reason }, Invalid(why)) => {
            assert!(reason.contains(why), "{mode}: {reason}")
        }
        (Outcome::Skipped { reason, .. }, Missing(why)) => {
            assert!(reason.contains(why), "{mode}: {reason}");
        }
        (Outcome::Ok, Cleaned) => {}
        (other, _) => panic!("{mode}: {other:?}"),
    }
}

/// The device that behaves has the same facts, proof and work as without the others; only times are its own.
fn same_as_alone(kept: &Kept) {
    let (_, alone) = Bench::new(&["null:ok"], &["tg4"], false).run();
    let of = |kept: &Kept| {
        let record = kept.records.iter().find(|record| record.cell.device == "null:ok").unwrap();
        let Record { cell, facts, device, verification, outcome, .. } = record.clone();
        let work = record.samples.first().map(|sample| (sample.tokens, sample.emits_ns.len()));
        serde_json::to_string(&(cell, facts, device, verification, outcome, work)).unwrap()
    };
    assert_eq!(of(kept), of(&alone));
}
