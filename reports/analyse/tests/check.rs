//! The check: every direction both ways, intervals, changes, and what cannot be judged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;

use build::{cell, launches};
use yardstick_analyse::{Bound, Comparison, Judgement, Limit, Verdict, check};
use yardstick_record::{Direction, FailureKind, Metric, Outcome, Record};

const DEVICE: &str = "cpu:avx2";
const MODEL: &str = "smollm-135m:Q4_0";

/// Five launches at about this speed: 100 tokens/s is 99 to 101.
fn at(speed: f64) -> Vec<Record> {
    launches(5, |launch| cell(DEVICE, MODEL, "tg64").launch(launch).speed(speed, 8))
}

fn judge(records: &[Record], metric: Metric, bound: Bound) -> Vec<Judgement> {
    let comparison = Comparison::of(records);
    let rows = (0..comparison.rows.len()).collect();
    check(&comparison, &[Limit { metric, bound, rows }], None)
}

fn value(records: &[Record], metric: Metric, bound: f64) -> Judgement {
    let found = judge(records, metric, Bound::Value(bound));
    assert_eq!(found.len(), 1);
    found[0].clone()
}

fn is_kept(judgement: &Judgement) -> bool {
    matches!(judgement.verdict, Verdict::Kept { .. })
}

#[test]
fn every_metric_with_a_value_is_held_the_right_way_round() {
    let mut records = at(100.0);
    records.extend(launches(3, |n| cell(DEVICE, MODEL, "ttft").launch(n).time(50.0, 100)));
    let comparison = Comparison::of(&records);
    let mut seen = Vec::new();
    for (index, row) in comparison.rows.iter().enumerate() {
        for (&metric, found) in &row.metrics {
            let Some(found) = found.value() else { continue };
            let (more, less) = (found.median * 1.5, found.median * 0.5);
            for (bound, higher) in [(more, false), (less, true), (found.median, true)] {
                let limit = Limit { metric, bound: Bound::Value(bound), rows: vec![index] };
                let kept = is_kept(&check(&comparison, &[limit], None)[0]);
                let expected = match metric.direction() {
                    _ if bound == found.median => true,
                    Direction::Higher => higher,
                    Direction::Lower => !higher,
                };
                assert_eq!(kept, expected, "{} against {bound}", metric.name());
            }
            seen.push(metric);
        }
    }
    for metric in [
        Metric::TokensPerSecond,
        Metric::TimeNs,
        Metric::TimeMeanNs,
        Metric::TokenLatencyNs,
        Metric::TokenLatencyP95Ns,
        Metric::PeakRssBytes,
    ] {
        assert!(seen.contains(&metric), "{} was not judged", metric.name());
    }
}

#[test]
fn a_bound_inside_the_interval_is_kept_or_broken_but_not_shown() {
    let found = value(&at(100.0), Metric::TokensPerSecond, 1.0).found.value().unwrap().clone();
    let interval = found.interval.value().unwrap();
    let near = [(found.median + interval.low) / 2.0, (found.median + interval.high) / 2.0];
    let verdict = |bound| value(&at(100.0), Metric::TokensPerSecond, bound).verdict;
    assert_eq!(verdict(near[0]), Verdict::Kept { shown: false });
    assert_eq!(verdict(near[1]), Verdict::Broken { shown: false });
    assert_eq!(verdict(interval.low * 0.9), Verdict::Kept { shown: true });
    assert_eq!(verdict(interval.high * 1.1), Verdict::Broken { shown: true });
}

#[test]
fn headroom_is_a_share_of_the_bound_and_negative_where_it_is_broken() {
    let records = at(100.0);
    let room = |metric, bound| value(&records, metric, bound).headroom().unwrap();
    let speed = value(&records, Metric::TokensPerSecond, 1.0).found.value().unwrap().median;
    assert!((room(Metric::TokensPerSecond, speed / 2.0) - 1.0).abs() < 1e-9);
    assert!((room(Metric::TokensPerSecond, speed * 2.0) + 0.5).abs() < 1e-9);
    let memory = f64::from(180 << 20);
    assert!((room(Metric::PeakRssBytes, memory * 2.0) - 0.5).abs() < 1e-9);
    assert_eq!(value(&records, Metric::PeakRssBytes, 0.0).headroom(), None);
}

#[test]
fn what_was_not_read_failed_or_is_not_there_is_not_judged_and_says_why() {
    let reason = |records: &[Record], metric| match value(records, metric, 1.0).verdict {
        Verdict::Unjudged { reason } => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason(&at(100.0), Metric::MeanWatts).contains("no meter"));
    assert!(reason(&at(100.0), Metric::Perplexity).contains("no cell in its scope has perplexity"));
    let ended = |outcome: Outcome| vec![cell(DEVICE, MODEL, "tg64").ended(outcome).done()];
    let failed = Outcome::Failed { kind: FailureKind::Verify, message: "signal 11".into() };
    assert!(reason(&ended(failed), Metric::TokensPerSecond).contains("signal 11"));
    let invalid = Outcome::Invalid { reason: "ran on the processor".into() };
    assert!(reason(&ended(invalid), Metric::TokensPerSecond).contains("ran on the processor"));
    let skipped = vec![cell("cuda:0", MODEL, "tg64").skipped("no driver", None).done()];
    let words = reason(&skipped, Metric::TokensPerSecond);
    assert!(words.contains("none of the 1 cells") && words.contains("no driver"), "{words}");
}

#[test]
fn cells_that_were_never_going_to_run_are_no_concern_where_others_ran() {
    let mut records = at(100.0);
    records.push(cell("cuda:0", MODEL, "tg64").skipped("no driver", None).done());
    let found = judge(&records, Metric::TokensPerSecond, Bound::Value(50.0));
    assert!(found.len() == 1 && is_kept(&found[0]));
}

#[test]
fn a_change_is_against_the_same_cell_of_the_baseline_both_ways() {
    let baseline = Comparison::of(&at(100.0));
    for (speed, metric, percent, kept) in [
        (90.0, Metric::TokensPerSecond, 5.0, false),
        (97.0, Metric::TokensPerSecond, 5.0, true),
        (150.0, Metric::TokensPerSecond, 5.0, true),
        (90.0, Metric::TokenLatencyNs, 5.0, false),
        (150.0, Metric::TokenLatencyNs, 5.0, true),
    ] {
        let now = Comparison::of(&at(speed));
        let limit = Limit { metric, bound: Bound::Percent(percent), rows: vec![0] };
        let found = check(&now, &[limit], Some(&baseline));
        assert_eq!(is_kept(&found[0]), kept, "{speed} {}", metric.name());
    }
    let unjudged = |now: &[Record], baseline: Option<&Comparison>| {
        let limit =
            Limit { metric: Metric::TokensPerSecond, bound: Bound::Percent(5.0), rows: vec![0] };
        match check(&Comparison::of(now), &[limit], baseline).remove(0).verdict {
            Verdict::Unjudged { reason } => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(unjudged(&at(100.0), None).contains("needs a baseline"));
    let other = vec![cell(DEVICE, "smollm-135m:Q8_0", "tg64").speed(90.0, 8).done()];
    assert!(unjudged(&other, Some(&baseline)).contains("lacks this cell"));
}
