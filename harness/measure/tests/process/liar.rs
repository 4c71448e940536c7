//! A worker that speaks the protocol, up to a point: what it does wrong follows from the device's name.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use yardstick_measure::runner::{RunError, Worker, WorkerCommand, inventory};
use yardstick_measure::suite::Deadlines;
use yardstick_record::{FailureKind, Outcome};

use crate::bench::{Bench, this_program};
use crate::orphans;

/// What is wrong, and what it is found out as: a class of failure, or `None` for an invalid record.
const LIES: &[(&str, Option<FailureKind>, &str)] = &[
    ("garbage", Some(FailureKind::Protocol), "not a message"),
    ("half", Some(FailureKind::Protocol), "not a message"),
    ("unknown-key", Some(FailureKind::Protocol), "not a message"),
    ("huge", Some(FailureKind::Protocol), "a line longer than 16777216 bytes"),
    ("binary", Some(FailureKind::Protocol), "not UTF-8"),
    ("other-id", Some(FailureKind::Protocol), "a message for call 999"),
    ("other-answer", Some(FailureKind::Protocol), "answered Prepared"),
    ("fewer-samples", Some(FailureKind::Protocol), "answered Sampled"),
    ("closed", Some(FailureKind::Exit { code: 0, phase: yardstick_record::Phase::Sample }), ""),
    ("elsewhere", None, "it ran on liar:other"),
    ("too-long", None, "add up to"),
    ("zero", None, "no time at all"),
    ("too-few-tokens", None, "counts 1 tokens"),
    ("nan", Some(FailureKind::Protocol), "not a message"),
    ("negative", Some(FailureKind::Protocol), "not a message"),
    ("orphan", None, ""),
    ("honest", None, ""),
];

/// Those of `modes` alone: they take their time.
const SLOW: [&str; 3] = ["flood", "stuck", "deaf"];

fn device(name: &str) -> String {
    format!(
        r#"{{"ready":{{"id":"liar:{name}","name":"a liar","kind":"none","class":"software","numerics":["f32"],"memory_bytes":{{"unavailable":"none"}},"preferred":false}}}}"#
    )
}

fn facts(device: &str) -> String {
    let none = r#"{"unavailable":"none"}"#;
    format!(
        r#"{{"device":"{device}","isa":{none},"adapter":{none},"driver":{none},"threads":1,"context":64,"sequences":1,"chunk":512,"kv":"f16","numerics":"f16","mapped_bytes":0,"copied_bytes":0,"kv_bytes":0,"scratch_bytes":0,"streamed_bytes":0,"kernels":{{}},"notes":{{}}}}"#
    )
}

/// Serves on stdio.
pub(crate) fn serve() -> ExitCode {
    let (mut asked, mut out) = (String::new(), std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let request: serde_json::Value = serde_json::from_str(&line).unwrap();
        let (id, call) = (request["id"].as_u64().unwrap(), &request["call"]);
        if let Some(device) = call["load"]["device"].as_str() {
            asked = device.trim_start_matches("liar:").to_owned();
        }
        if call.get("sample").is_some() {
            if sample(&mut out, id, &asked).is_none() {
                return ExitCode::SUCCESS;
            }
            continue;
        }
        let answer = answer(call, &asked);
        let written = writeln!(out, r#"{{"reply":{{"id":{id},"answer":{answer}}}}}"#);
        if written.is_err() || call == "stop" {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn answer(call: &serde_json::Value, asked: &str) -> String {
    let name = call.as_object().and_then(|call| call.keys().next().cloned()).unwrap_or_default();
    match name.as_str() {
        "hello" => {
            r#"{"hello":{"protocol":1,"name":"liar","version":"0","backends":["liar"]}}"#.to_owned()
        }
        "devices" => {
            let lies = LIES.iter().map(|(name, _, _)| *name).chain(SLOW);
            let devices: Vec<String> = lies.map(device).collect();
            format!(r#"{{"devices":{{"devices":[{}]}}}}"#, devices.join(","))
        }
        "plan" => r#"{"planned":{"footprint":{"mapped_bytes":0,"copied_bytes":0,"kv_bytes":0,"scratch_bytes":0}}}"#.to_owned(),
        "load" => {
            let device = if asked == "elsewhere" { "other" } else { asked };
            format!(r#"{{"loaded":{{"facts":{},"load_ns":1}}}}"#, facts(&format!("liar:{device}")))
        }
        "prepare" => r#""prepared""#.to_owned(),
        "warm_up" => {
            r#"{"warmed_up":{"warm_up":{"repetitions":1,"nanoseconds":1,"steady":true}}}"#.to_owned()
        }
        "ceiling" => r#"{"ceiling":{"reached":{"unavailable":"none"}}}"#.to_owned(),
        _ => r#""stopped""#.to_owned(),
    }
}

/// The call under test. `None` when the worker leaves.
fn sample(out: &mut impl Write, id: u64, lie: &str) -> Option<()> {
    let facts = facts(&format!("liar:{lie}"));
    let one = |started: u64, ns: u64, tokens: u64| {
        format!(
            r#"{{"started_ns":{started},"nanoseconds":{ns},"tokens":{tokens},"cpu_ns":null,"emits_ns":[],"marks":[]}}"#
        )
    };
    let samples = |list: &str| format!(r#"{{"samples":{{"id":{id},"samples":[{list}]}}}}"#);
    let reply = format!(
        r#"{{"reply":{{"id":{id},"answer":{{"sampled":{{"repetitions":1,"facts":{facts}}}}}}}}}"#
    );
    let second = 1_000_000_000;
    let lines = match lie {
        "garbage" => vec!["garbage".to_owned()],
        "half" => vec![r#"{"reply":{"id":"#.to_owned()],
        "unknown-key" => vec![format!(r#"{{"heartbeat":{{"beat":{id},"pulse":1}}}}"#)],
        "huge" => vec!["x".repeat(64 << 20)],
        "other-id" => vec![reply.replace(&format!("\"id\":{id}"), "\"id\":999")],
        "other-answer" => vec![format!(r#"{{"reply":{{"id":{id},"answer":"prepared"}}}}"#)],
        "fewer-samples" => vec![reply],
        "closed" => return None,
        "too-long" => vec![samples(&one(5, 3600 * second, 4)), reply],
        "nan" => {
            vec![samples(&one(5, 9, 4).replace("\"nanoseconds\":9", "\"nanoseconds\":NaN")), reply]
        }
        "negative" => {
            vec![samples(&one(5, 9, 4).replace("\"nanoseconds\":9", "\"nanoseconds\":-9")), reply]
        }
        "zero" => vec![samples(&one(5, 0, 4)), reply],
        "too-few-tokens" => vec![samples(&one(5, 9, 1)), reply],
        _ => vec![samples(&one(5, 9, 4)), reply],
    };
    if lie == "orphan" {
        orphans::start();
    }
    if lie == "flood" {
        // 1 GiB without an end of line; the parent stops reading long before.
        let part = vec![b'x'; 1 << 20];
        (0..1024).try_for_each(|_| out.write_all(&part)).ok()?;
    }
    if ["stuck", "deaf"].contains(&lie) {
        // Beats, and never answers.
        loop {
            writeln!(out, r#"{{"heartbeat":{{"beat":1}}}}"#).and_then(|()| out.flush()).ok()?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    if lie == "binary" {
        out.write_all(b"\xff\xfe\n").ok()?;
    } else {
        // The parent may stop reading half-way.
        lines.iter().try_for_each(|line| writeln!(out, "{line}")).ok()?;
    }
    out.flush().ok()
}

pub(crate) fn found_out() {
    let devices: Vec<String> = LIES.iter().map(|(name, _, _)| format!("liar:{name}")).collect();
    let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
    let mut bench = Bench::new(&devices, &["tg4"], false);
    bench.worker = this_program("liar");
    let (summary, kept) = bench.run();
    assert_eq!(kept.records.len(), LIES.len());
    assert_eq!(summary.ok, 2);
    for (name, kind, message) in LIES {
        let outcome = kept.outcome(&format!("liar:{name}"), "tg4");
        match (outcome, kind) {
            (Outcome::Failed { kind, message: found }, Some(expected)) => {
                assert_eq!(kind, expected, "{name}: {found}");
                assert!(found.contains(message), "{name}: {found}");
            }
            (Outcome::Invalid { reason }, None) => {
                assert!(reason.contains(message), "{name}: {reason}")
            }
            (Outcome::Ok, None) => assert!(["honest", "orphan"].contains(name)),
            other => panic!("{name}: {other:?}"),
        }
    }
    orphans::none_sleeps();
}

pub(crate) fn no_worker() {
    let never = AtomicBool::new(false);
    let own = |worker: &WorkerCommand| [Worker::own(worker.clone())];
    let list = |worker: &WorkerCommand| inventory(&own(worker), &Deadlines::default(), &never);
    let program = |program: &str, arguments: &[&str]| WorkerCommand {
        program: program.into(),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
    };
    for (worker, expected) in [
        (program("/nonexistent", &[]), "cannot start /nonexistent"),
        (program("sh", &["-c", "read request; echo hello"]), "not a message"),
        (program("sh", &["-c", "exit 5"]), "exit code 5"),
        (program("sh", &["-c", "echo gone >&2; kill -9 $$"]), "it wrote: gone"),
    ] {
        let Err(RunError::Worker(message)) = list(&worker) else { panic!("{expected}") };
        assert!(message.contains(expected), "{message}");
    }
    // One that ignores being told to leave is killed, with what it started.
    let deaf = program("sh", &["-c", "trap '' TERM; sleep 1000 & sleep 1000"]);
    let impatient = Deadlines { hello: Duration::from_millis(300), ..Deadlines::default() };
    let Err(RunError::Worker(message)) = inventory(&own(&deaf), &impatient, &never) else {
        panic!()
    };
    assert!(message.contains("starting took longer than 300ms"), "{message}");
    // A worker of another protocol is refused at its hello.
    let old = r#"read l; echo '{"reply":{"id":1,"answer":{"hello":{"protocol":0,"name":"old","version":"0","backends":[]}}}}'; read l"#;
    let Err(RunError::Worker(message)) = list(&program("sh", &["-c", old])) else { panic!() };
    assert!(message.contains("speaks protocol 0, expected 1"), "{message}");
}
