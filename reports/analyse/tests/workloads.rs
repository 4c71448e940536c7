//! Workloads from synthetic records: every figure is known, and follows from the raw stamps alone.
#![allow(missing_docs, clippy::unwrap_used)]

mod build;

use yardstick_analyse::{Bracket, Comparison, Row, WorkloadView};
use yardstick_api::Known;
use yardstick_record::{
    Arrivals, Chat, ChatTurn, Checked, Cold, Fate, Member, Metric, Objective, Record, RequestRun,
    Robust, Sample, Serve, Start, Together, Trial, Workload,
};

const MS: u64 = 1_000_000;

fn sample(emits_ms: &[u64]) -> Sample {
    let emits_ns: Vec<u64> = emits_ms.iter().map(|ms| ms * MS).collect();
    Sample {
        started_ns: 0,
        nanoseconds: emits_ns.last().copied().unwrap_or(MS),
        tokens: emits_ns.len() as u64,
        cpu_ns: None,
        emits_ns,
        marks: Vec::new(),
    }
}

fn record(test: &str, samples: Vec<Sample>, workload: Workload) -> Record {
    let with = |record: &mut Record| {
        record.samples = samples;
        record.workload = Some(Box::new(workload));
    };
    build::cell("cpu:avx2", "smollm-135m:Q4_0", test).with(with).done()
}

fn row(record: Record) -> Row {
    Comparison::of(&[record]).rows.remove(0)
}

fn median(row: &Row, metric: Metric) -> f64 {
    row.estimate(metric).unwrap_or_else(|| panic!("{:?}", row.metrics.get(&metric))).median
}

#[test]
fn kept_keys_and_values_save_what_the_sums_say_and_first_turns_do_not_count() {
    let turn = |turn, reused, held, prompt, same| ChatTurn {
        conversation: "a".to_owned(),
        turn,
        reused,
        held,
        prompt,
        same,
    };
    let turns = vec![
        turn(1, true, 0, 10, None),
        turn(2, true, 20, 5, None),
        turn(3, true, 40, 5, None),
        turn(1, false, 0, 10, Some(3)),
        turn(2, false, 0, 25, Some(3)),
        turn(3, false, 0, 45, Some(1)),
    ];
    let samples = vec![
        sample(&[10, 20, 30]),
        sample(&[5, 15, 25]),
        sample(&[15, 25, 35]),
        sample(&[90, 100, 110]),
        sample(&[40, 50, 60]),
        sample(&[60, 70, 80]),
    ];
    let row = row(record("chat", samples, Workload::Chat(Chat { tokens: "own".into(), turns })));
    assert_eq!(median(&row, Metric::PrefixSaving), 80.0, "20 of 100 ms are left");
    assert_eq!(median(&row, Metric::FirstTokenNs), 10e6, "of 10, 5 and 15 ms");
    let Some(WorkloadView::Chat(view)) = &row.workload else { panic!("no view") };
    assert_eq!((view.same, view.conversations), ((2, 3), 1));
    let lines: Vec<_> = view
        .turns
        .iter()
        .map(|line| (line.kept_ns.clone(), line.scratch_ns.clone(), line.saving.value().copied()))
        .collect();
    let ms = |ms: f64| Known::Value(ms * 1e6);
    assert_eq!(lines[1], (ms(5.0), ms(40.0), Some(87.5)));
    assert_eq!(lines[2], (ms(15.0), ms(60.0), Some(75.0)));
    assert_eq!(lines[0].2, None, "nothing is held before a first turn");
    assert_eq!(view.turns[0].speed, Known::Value(100.0), "a token every 10 ms");
}

fn queue(trials: Vec<Trial>) -> Workload {
    Workload::Serve(Serve {
        arrivals: Arrivals::Constant,
        seed: 1,
        slots: 1,
        queue: 1,
        timeout_seconds: 1.0,
        objective: Objective { ttft_ms: 100.0, itl_ms: 20.0, percent: 75.0 },
        trials,
    })
}

fn trial(rate: f64, seconds: f64, fates: &[(Fate, Option<u64>)]) -> Trial {
    let request = |&(fate, sample)| RequestRun {
        arrived_ns: 0,
        prompt: 4,
        asked: 3,
        fate,
        sample,
        message: None,
    };
    let requests = fates.iter().map(request).collect();
    Trial { rate, busy_ns: (seconds * 1e9) as u64, skipped_ns: 0, requests }
}

#[test]
fn goodput_counts_good_requests_and_errors_all_that_did_not_come_to_their_end() {
    let samples = vec![sample(&[50, 60, 70]), sample(&[150, 160, 170]), sample(&[50])];
    let fates = [
        (Fate::Done, Some(0)),
        (Fate::Done, Some(1)),
        (Fate::TimedOut, Some(2)),
        (Fate::Rejected, None),
    ];
    let row = row(record("serve", samples, queue(vec![trial(2.0, 2.0, &fates)])));
    assert_eq!(median(&row, Metric::Goodput), 0.5, "one good request in two seconds");
    assert_eq!(median(&row, Metric::RequestErrors), 50.0, "a late first token is no error");
    let Some(WorkloadView::Serve(view)) = &row.workload else { panic!("no view") };
    let line = &view.trials[0];
    assert_eq!((line.fates, line.good, line.is_met), ([2, 1, 1, 0], 1, false));
    assert_eq!(line.ttft_ns[0], Known::Value(100e6));
    assert!(line.ttft_ns[1].reason().unwrap().contains("p90 needs 44"));
    assert_eq!(line.speed, 3.5, "7 tokens in 2 s, those given up among them");
}

#[test]
fn capacity_is_the_highest_rate_below_every_one_that_missed() {
    let samples = vec![sample(&[50, 60, 70])];
    let good = [(Fate::Done, Some(0)); 4];
    let bad = [(Fate::Done, Some(0)), (Fate::Rejected, None), (Fate::Rejected, None)];
    let capacity = |trials: Vec<Trial>| row(record("capacity", samples.clone(), queue(trials)));
    let found = capacity(vec![
        trial(8.0, 0.5, &bad),
        trial(2.0, 2.0, &good),
        trial(4.0, 1.0, &good),
        trial(6.0, 0.6, &bad),
        trial(7.0, 0.57, &good),
    ]);
    assert_eq!(median(&found, Metric::Capacity), 4.0, "7 above a missed 6 was luck");
    let Some(WorkloadView::Serve(view)) = &found.workload else { panic!("no view") };
    assert_eq!(view.bracket, Some(Bracket { met: Some(4.0), missed: Some(6.0) }));
    let why = |trials| match capacity(trials).metrics.remove(&Metric::Capacity) {
        Some(Known::Unavailable { unavailable }) => unavailable,
        other => panic!("{other:?}"),
    };
    assert!(why(vec![trial(2.0, 2.0, &good)]).starts_with("above 2.000 requests/s"));
    assert!(why(vec![trial(2.0, 2.0, &bad)]).starts_with("below 2.000 requests/s"));
    assert!(why(Vec::new()).contains("no rate was tried"));
}

#[test]
fn processes_are_summed_and_what_each_loses_is_averaged() {
    let tokens = |ms: u64| Sample { tokens: 10, ..sample(&[ms]) };
    let samples = vec![tokens(100), tokens(200), tokens(200), tokens(250)];
    let member = |alone, together| Member { model: "m".to_owned(), alone, together };
    let members = vec![member((0, 1), (1, 2)), member((2, 3), (3, 4))];
    let row = row(record("together", samples, Workload::Together(Together { members })));
    assert_eq!(median(&row, Metric::TokensPerSecond), 90.0, "50 and 40");
    assert!((median(&row, Metric::Slowdown) - 35.0).abs() < 1e-9, "of 50 % and 20 %");
    let Some(WorkloadView::Together(view)) = &row.workload else { panic!("no view") };
    assert_eq!(view.members[0], ("m".to_owned(), Known::Value(100.0), Known::Value(50.0)));
}

#[test]
fn starts_have_their_parts_and_the_worst_of_the_cache() {
    let start = |ms: u64, cached| Start {
        hello_ns: ms * MS,
        load_ns: 2 * ms * MS,
        first_ns: 3 * ms * MS,
        cached_percent: Known::Value(cached),
    };
    let starts = vec![start(1, 0.0), start(2, 40.0), start(3, 0.0)];
    let samples = [6, 12, 18].map(|ms| sample(&[ms])).to_vec();
    let row = row(record("cold", samples, Workload::Cold(Cold { starts })));
    assert_eq!(median(&row, Metric::TimeNs), 12e6);
    let Some(WorkloadView::Cold(view)) = &row.workload else { panic!("no view") };
    assert_eq!(view.parts_ns, [2e6, 4e6, 6e6].map(Known::Value));
    assert_eq!(view.cached_percent, Known::Value(40.0));
}

#[test]
fn hard_inputs_count_where_they_were_tried_and_are_never_ranked() {
    let check = |name: &str, passed| Checked {
        name: name.to_owned(),
        expected: "it is refused".to_owned(),
        found: "refused".to_owned(),
        passed,
    };
    let checks = vec![check("a", Some(true)), check("b", Some(false)), check("c", None)];
    let record = record("robust", Vec::new(), Workload::Robust(Robust { checks }));
    let comparison = Comparison::of(&[record]);
    assert_eq!(median(&comparison.rows[0], Metric::ChecksPassed), 50.0);
    assert!(comparison.rankings.is_empty());
    let Some(WorkloadView::Robust(view)) = &comparison.rows[0].workload else { panic!("no view") };
    assert_eq!(
        view.checks.iter().map(|line| line.passed).collect::<Vec<_>>(),
        [(1, 1), (0, 1), (0, 0)]
    );
}
