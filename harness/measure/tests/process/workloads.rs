//! Workloads over sessions that make their answers up: what is recorded, and what becomes of devices that misbehave in them.

use yardstick_measure::plan::Role;
use yardstick_measure::runner::Worker;
use yardstick_measure::workload::Asked;
use yardstick_record::{FailureKind, Fate, Outcome, Record, Workload};

use crate::bench::{Bench, Kept};
use crate::python;

fn bench(devices: &[&str], tests: &[&str]) -> Bench {
    let mut bench = Bench::new(devices, tests, false);
    bench.overrides.workload = Asked {
        requests: Some(12),
        rate: Some(1000.0),
        most_tokens: Some(4),
        trials: Some(4),
        ..Asked::default()
    };
    bench.overrides.sequences = Some(vec![2]);
    bench
}

fn only(kept: &Kept) -> &Record {
    let [record] = &kept.records[..] else { panic!("{} records", kept.records.len()) };
    assert_eq!(record.outcome, Outcome::Ok);
    let read = Record::from_json(&record.to_json()).unwrap();
    assert_eq!(read.workload, record.workload, "it survives being written");
    record
}

pub(crate) fn chat() {
    let (_, kept) = bench(&["null:ok"], &["chat"]).run();
    let record = only(&kept);
    let Some(Workload::Chat(chat)) = record.workload.as_deref() else { panic!("no chat") };
    assert!(chat.tokens.starts_with("made-up ids"), "{}: tiny has no tokenizer", chat.tokens);
    assert!(!record.to_json().contains(".gguf\"") && !chat.tokens.contains('/'), "no path");
    assert_eq!(chat.turns.len(), record.samples.len());
    for (turn, sample) in chat.turns.iter().zip(&record.samples) {
        assert_eq!((sample.tokens, sample.emits_ns.len()), (4, 4));
        assert_eq!(turn.reused || turn.turn == 1, turn.held > 0 || turn.turn == 1);
        // What makes its answers up of all it was told says the same both ways.
        assert_eq!(turn.same, (!turn.reused).then_some(4));
    }
    let of = |reused| chat.turns.iter().filter(move |turn| turn.reused == reused);
    let all = |reused| of(reused).map(|turn| turn.held + turn.prompt).sum::<u64>();
    assert_eq!(all(true), all(false), "both ways stand on the same tokens");
    assert_eq!(record.cell.subject.as_ref().unwrap().data, "everyday");
}

pub(crate) fn serve() {
    let (_, kept) = bench(&["null:ok"], &["serve"]).run();
    let record = only(&kept);
    let Some(Workload::Serve(serve)) = record.workload.as_deref() else { panic!("no queue") };
    assert_eq!((serve.slots, serve.trials.len()), (2, 1));
    let trial = &serve.trials[0];
    assert_eq!((trial.rate, trial.requests.len()), (1000.0, 12));
    for request in &trial.requests {
        assert_eq!(request.fate, Fate::Done);
        let sample = &record.samples[request.sample.unwrap() as usize];
        assert_eq!(sample.tokens, request.asked);
    }
    assert!(serve.is_met(trial, &record.samples));
}

/// Its answers cost nothing, so that no rate in reach is too much: the search says where it stopped, and no more.
pub(crate) fn capacity() {
    let (_, kept) = bench(&["null:ok"], &["capacity"]).run();
    let record = only(&kept);
    let Some(Workload::Serve(serve)) = record.workload.as_deref() else { panic!("no queue") };
    assert!((1..=4).contains(&serve.trials.len()));
    let rates: Vec<f64> = serve.trials.iter().map(|trial| trial.rate).collect();
    assert!(rates.iter().all(|rate| rate.is_finite() && *rate > 0.0), "{rates:?}");
    let lengths = |at: usize| {
        serve.trials[at].requests.iter().map(|r| (r.prompt, r.asked)).collect::<Vec<_>>()
    };
    assert!((1..rates.len()).all(|at| lengths(at) == lengths(0)), "the same requests at each rate");
}

pub(crate) fn robust() {
    let (_, kept) = bench(&["null:ok"], &["robust"]).run();
    let record = only(&kept);
    let Some(Workload::Robust(robust)) = record.workload.as_deref() else { panic!("no checks") };
    for check in &robust.checks {
        let untried = ["Unicode", "special tokens as text", "cancelled mid-way"];
        let expected = (!untried.contains(&check.name.as_str())).then_some(true);
        assert_eq!(check.passed.filter(|_| expected.is_some()), expected, "{check:?}");
    }
    assert!(robust.checks.len() >= 11);
    let (_, kept) = bench(&["null:nan"], &["robust"]).run();
    let Some(Workload::Robust(robust)) = only(&kept).workload.as_deref() else { panic!() };
    let failed: Vec<&str> = robust
        .checks
        .iter()
        .filter(|check| check.passed == Some(false))
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(failed, ["logits"], "the one thing wrong with it");
}

pub(crate) fn together_and_cold() {
    let (_, kept) = bench(&["null:paced"], &["together3", "cold", "tg4"]).run();
    for record in &kept.records {
        assert_eq!(record.outcome, Outcome::Ok, "{}", record.cell.test);
        match record.workload.as_deref() {
            Some(Workload::Together(together)) => {
                assert_eq!(together.members.len(), 3);
                let last = together.members[2].together.1;
                assert_eq!(last, record.samples.len() as u64);
                let made = |(from, to): (u64, u64)| to > from;
                assert!(together.members.iter().all(|m| made(m.alone) && made(m.together)));
            }
            Some(Workload::Cold(cold)) => {
                assert_eq!(cold.starts.len(), record.samples.len());
                for (start, sample) in cold.starts.iter().zip(&record.samples) {
                    let parts = start.hello_ns + start.load_ns + start.first_ns;
                    assert_eq!(parts, sample.nanoseconds);
                }
            }
            _ => assert_eq!(record.cell.test.to_string(), "tg4"),
        }
    }
    assert_eq!(kept.records.len(), 3, "the launch goes on after it");
}

/// Each way to misbehave ends as it would in any test, and costs no other device anything.
pub(crate) fn misbehaving() {
    type Expected = fn(&FailureKind) -> bool;
    let table: [(&str, Expected); 6] = [
        ("null:segfault", |kind| matches!(kind, FailureKind::Crash { signal: 11, .. })),
        ("null:exit", |kind| matches!(kind, FailureKind::Exit { code: 3, .. })),
        ("null:lost", |kind| matches!(kind, FailureKind::DeviceLost)),
        ("null:oom-error", |kind| matches!(kind, FailureKind::OutOfMemory)),
        ("null:error", |kind| matches!(kind, FailureKind::Backend)),
        ("null:hang", |kind| matches!(kind, FailureKind::Timeout { .. })),
    ];
    let devices: Vec<&str> = table.iter().map(|(device, _)| *device).chain(["null:ok"]).collect();
    let tests = ["chat", "serve", "robust"];
    let mut bench = bench(&devices, &tests);
    bench.impatient();
    let (summary, kept) = bench.run();
    assert_eq!(kept.records.len(), devices.len() * tests.len(), "every cell has a record");
    assert_eq!(summary.ok, tests.len(), "the one that behaves");
    for (device, expected) in table {
        for test in tests {
            let (kind, message) = kept.failure(device, test);
            assert!(expected(kind), "{device} {test}: {kind:?}: {message}");
        }
    }
}

/// A program that does not know the calls says so, and is skipped with what it said.
pub(crate) fn unknown_to_others() {
    let Some(program) = python::example() else { return };
    let mut bench = bench(&["snake:0"], &["chat", "serve", "tg4"]);
    let command = python::python(program);
    bench.others = vec![Worker::new(Role::External("snake".to_owned()), command, None)];
    let (summary, kept) = bench.run();
    assert_eq!((summary.ok, summary.skipped), (1, 2));
    for test in ["chat", "serve"] {
        let Outcome::Skipped { reason, .. } = kept.outcome("snake:0", test) else { panic!() };
        assert_eq!(*reason, format!("worker snake does not run {test}: unknown call {test}"));
    }
}
