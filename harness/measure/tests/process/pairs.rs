//! Pairs: all members resident at once, one repetition each a round, in an order that the seed decides; what a lost member
//! costs; what a run against itself says.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use yardstick_measure::plan::Overrides;
use yardstick_measure::runner::{Event, Sink};
use yardstick_record::{FailureKind, Outcome, Pairing, Record, Turn};

use crate::bench::{Bench, Kept};

/// Records, and who made a repetition when.
#[derive(Default)]
struct Turns {
    kept: Kept,
    /// (round, member) in the order they happened, by test.
    turns: Vec<(usize, String)>,
    /// Cancels the run after so many turns.
    cancel_after: Option<usize>,
}

struct Watching<'b>(&'b Bench, Turns);

impl Sink for Watching<'_> {
    fn record(&mut self, record: Record) -> Result<(), String> {
        self.1.kept.record(record)
    }

    fn event(&mut self, event: Event<'_>) {
        if let Event::Turn { member, round } = &event {
            self.1.turns.push((*round, (*member).to_owned()));
            if self.1.cancel_after == Some(self.1.turns.len()) {
                self.0.cancel.store(true, Ordering::Relaxed);
            }
        }
        self.1.kept.event(event);
    }
}

fn paired(devices: &[&str], tests: &[&str], verify: bool) -> Bench {
    let mut bench = Bench::new(devices, tests, verify);
    bench.overrides = Overrides { paired: Some(true), ..Overrides::default() };
    bench
}

fn watch(bench: &Bench, cancel_after: Option<usize>) -> Turns {
    let mut sink = Watching(bench, Turns { cancel_after, ..Turns::default() });
    bench.run_into(&mut sink).unwrap();
    sink.1
}

fn pairing(record: &Record) -> &Pairing {
    record.pairing.as_ref().unwrap()
}

/// The members of each round, in their order.
fn rounds(turns: &Turns) -> Vec<Vec<String>> {
    let mut rounds: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (round, member) in &turns.turns {
        rounds.entry(*round).or_default().push(member.clone());
    }
    rounds.into_values().collect()
}

pub(crate) fn alternate() {
    let devices = ["null:ok", "null:paced", "null:garbage"];
    let run = |seed| {
        let mut bench = paired(&devices, &["tg4"], false);
        bench.seed = seed;
        bench.suite = bench.suite.replace("max_repetitions = 4", "max_repetitions = 12");
        bench.suite = bench.suite.replace("min_repetitions = 3", "min_repetitions = 12");
        watch(&bench, None)
    };
    let (first, again, other) = (run(7), run(7), run(8));
    for round in rounds(&first) {
        let mut members = round.clone();
        members.sort();
        assert_eq!(members, ["null:garbage", "null:ok", "null:paced"], "each once a round");
    }
    assert_eq!(first.turns, again.turns, "the seed decides the order");
    assert_ne!(first.turns, other.turns, "and another seed another one");
    let orders: std::collections::HashSet<_> = rounds(&first).into_iter().collect();
    assert!(orders.len() >= 3, "rounds differ in their order: {orders:?}");
    assert_eq!(first.kept.records.len(), 3);
    for record in &first.kept.records {
        assert_eq!(record.outcome, Outcome::Ok);
        assert_eq!(record.samples.len(), 12, "all make the same number");
        assert_eq!(pairing(record), pairing(&first.kept.records[0]));
        assert_eq!(pairing(record).unit, Turn::Samples);
        assert_eq!(pairing(record).members.len(), 3);
        assert!(record.reading("paired_idle_cpu_percent").is_some());
        assert!(record.warm_up.value().is_some());
    }
}

/// One that is lost costs its own cells; a cell that is lost with it is its last one.
pub(crate) fn lost() {
    for (device, timeout) in [("null:segfault-late", false), ("null:hang-late", true)] {
        let mut bench = paired(&["null:ok", device], &["tg4", "tg4@d64", "pp8"], true);
        bench.impatient();
        let turns = watch(&bench, None);
        let kept = turns.kept;
        assert_eq!(kept.records.len(), 6, "{device}");
        for test in ["tg4", "tg4@d64", "pp8"] {
            assert_eq!(kept.outcome("null:ok", test), &Outcome::Ok, "{device} {test}");
            assert!(kept.records.iter().all(|record| pairing(record).members.len() == 2));
        }
        let (kind, message) = kept.failure(device, "tg4@d64");
        assert_eq!(matches!(kind, FailureKind::Timeout { .. }), timeout, "{kind:?}: {message}");
        for test in ["tg4", "pp8"] {
            assert_eq!(kept.outcome(device, test), &Outcome::Ok, "{device} {test}");
        }
    }
    // Lost in its turn: the warm-up is behind it.
    let mut bench = paired(&["null:ok", "liar:fewer-samples"], &["tg4"], false);
    bench.others = vec![crate::workers::external("liar", crate::bench::this_program("liar"))];
    let kept = watch(&bench, None).kept;
    assert_eq!(kept.outcome("null:ok", "tg4"), &Outcome::Ok);
    assert_eq!(kept.failure("liar:fewer-samples", "tg4").0, &FailureKind::Protocol);
}

/// Impossible times of one member are found out in its turn, and the others are not touched.
pub(crate) fn liars() {
    let devices = ["null:ok", "liar:too-long", "liar:zero", "liar:honest", "liar:elsewhere"];
    let mut bench = paired(&devices, &["tg4"], false);
    bench.others = vec![crate::workers::external("liar", crate::bench::this_program("liar"))];
    let kept = watch(&bench, None).kept;
    for (device, why) in
        [("too-long", "its call took"), ("zero", "no time at all"), ("elsewhere", "ran on")]
    {
        match kept.outcome(&format!("liar:{device}"), "tg4") {
            Outcome::Invalid { reason } => assert!(reason.contains(why), "{device}: {reason}"),
            other => panic!("{device}: {other:?}"),
        }
    }
    assert_eq!(kept.outcome("null:ok", "tg4"), &Outcome::Ok);
    let count =
        |device: &str| kept.records.iter().find(|r| r.cell.device == device).unwrap().samples.len();
    assert!(count("null:ok") >= 3);
}

/// Ctrl-C keeps whole rounds; what is resumed is measured together again.
pub(crate) fn cancelled() {
    let mut bench = paired(&["null:ok", "null:paced"], &["tg4"], false);
    bench.suite = bench.suite.replace("max_repetitions = 4", "max_repetitions = 50");
    bench.suite = bench.suite.replace("min_repetitions = 3", "min_repetitions = 50");
    let turns = watch(&bench, Some(7));
    assert_eq!(turns.kept.records.len(), 2);
    for record in &turns.kept.records {
        assert_eq!(record.samples.len(), 3, "seven turns are three rounds of two and a half one");
        match &record.outcome {
            Outcome::Failed { kind: FailureKind::Interrupted, message } => {
                assert!(message.contains("3 whole rounds"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    bench.cancel.store(false, Ordering::Relaxed);
    let first = &turns.kept.records[0];
    bench.done.insert((first.cell.key(), first.launch));
    let kept = watch(&bench, None).kept;
    assert_eq!(kept.records.len(), 1, "what was measured is left out");
    assert_eq!(kept.records[0].pairing, None, "nobody was left to take turns with");
}

/// A/A: each device against itself, under the labels a and b, in every launch.
pub(crate) fn noise() {
    let mut bench = Bench::new(&["null:ok", "null:paced"], &["tg4", "pp8"], false);
    bench.overrides =
        Overrides { paired: Some(true), twins: true, launches: Some(2), ..Overrides::default() };
    let kept = watch(&bench, None).kept;
    assert_eq!(kept.records.len(), 2 * 2 * 2 * 2);
    let mut twins: BTreeMap<(u32, String, String), Vec<String>> = BTreeMap::new();
    for record in &kept.records {
        assert_eq!(record.outcome, Outcome::Ok);
        assert_eq!(record.tool.name, "yardstick");
        let key = (record.launch, pairing(record).group.clone(), record.cell.device.clone());
        twins.entry(key).or_default().push(record.cell.build.clone().unwrap());
    }
    assert_eq!(twins.len(), 8);
    for (key, mut labels) in twins {
        labels.sort();
        assert_eq!(labels, ["a", "b"], "{key:?}");
    }
}

/// Members that do not fit into memory together take turns by launches, and say why.
pub(crate) fn apart() {
    let mut bench = paired(&["null:ok", "null:paced"], &["tg4"], false);
    bench.memory_bytes = Some(1);
    let turns = watch(&bench, None);
    assert!(turns.turns.is_empty());
    assert_eq!(turns.kept.records.len(), 2);
    for record in &turns.kept.records {
        assert_eq!(record.outcome, Outcome::Ok);
        assert_eq!(pairing(record).unit, Turn::Launches);
        let reading = record.reading("paired_idle_cpu_percent").unwrap();
        assert!(reading.value.reason().unwrap().contains("whole launches take turns"));
    }
    assert!(turns.kept.notes.iter().any(|note| note.contains("whole launches take turns")));
}

/// A member that computes while it should be idle is seen, and the samples of the others are marked.
pub(crate) fn restless() {
    let Some(program) = crate::python::example() else { return };
    if !std::path::Path::new("/proc/self/task").exists() {
        println!("skipped: CPU time of other processes is told on Linux only");
        return;
    }
    let spin = "import threading\ndef spin():\n    while True:\n        pass\n\
                threading.Thread(target=spin, daemon=True).start()\n";
    let program = crate::python::python(format!("{spin}{program}"));
    let mut bench = paired(&["null:paced", "snake:0"], &["tg4"], false);
    bench.others = vec![crate::workers::external("snake", program)];
    bench.suite = bench.suite.replace("max_repetitions = 4", "max_repetitions = 200");
    bench.suite = bench.suite.replace("min_repetitions = 3", "min_repetitions = 200");
    let kept = watch(&bench, None).kept;
    let record = |device: &str| kept.records.iter().find(|r| r.cell.device == device).unwrap();
    let idle =
        |device: &str| record(device).reading("paired_idle_cpu_percent").unwrap().value.clone();
    let (Some(&busy), Some(&calm)) = (idle("snake:0").value(), idle("null:paced").value()) else {
        println!("skipped: the kernel keeps no scheduler statistics");
        return;
    };
    assert!(busy > calm, "the spinning member used {busy} %, the other {calm} %");
    let marked = |device: &str| {
        let mut marks = record(device).samples[0].marks.iter();
        marks.any(|mark| mark.starts_with("disturbed: "))
    };
    assert_eq!(marked("null:paced"), busy > 10.0, "{busy} %");
    assert!(!marked("snake:0") || calm > 10.0, "{calm} %");
}
