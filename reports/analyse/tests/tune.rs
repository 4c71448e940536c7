//! Tuning: what is set aside, who is varied, what is combined, who wins.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;

use build::needs::{least, most};
use build::{cell, launches};
use yardstick_analyse::Comparison;
use yardstick_analyse::recommend::{Needs, Outcome, Requirement, What};
use yardstick_analyse::tune::{Point, Space, Standings, winner};
use yardstick_api::{KvType, Numerics};
use yardstick_record::{Metric, Record};

const A: &str = "rustdoc-6m:Q4_0";
const B: &str = "rustdoc-6m:Q8_0";
const C: &str = "rustdoc-6m:F16";

fn space() -> Space {
    Space {
        threads: vec![Some(2), Some(1)],
        kv: vec![KvType::F16, KvType::Q8_0],
        numerics: vec![None, Some(Numerics::Requantised)],
        sequences: vec![1],
    }
}

/// Decode of a point at a speed.
fn decode(point: &Point, speed: f64, count: u32) -> Vec<Record> {
    launches(count, |n| {
        cell("cpu:avx2", &point.model, "tg32").launch(n).speed(speed, 8).with(|record| {
            record.cell.options.threads = point.threads;
            record.cell.options.kv = point.kv;
            record.cell.options.numerics = point.numerics;
            record.cell.model.random_weights = None;
        })
    })
}

fn needs(requirements: Vec<Requirement>) -> Needs {
    Needs { rank_by: Some(What::TokensPerSecond), ..build::needs::needs(requirements) }
}

fn standings(records: &[Record], needs: &Needs) -> Standings {
    Standings::of(&Comparison::of(records), needs, 1)
}

#[test]
fn a_need_that_nothing_tells_is_set_aside_with_its_reason_and_one_that_is_told_is_not() {
    let records = decode(&space().start(A), 100.0, 3);
    let asked = [most(What::Watts, 5.0), least(What::TokensPerSecond, 50.0)];
    let found = standings(&records, &needs(asked.to_vec()));
    assert_eq!(found.set_aside.len(), 1);
    assert_eq!(found.set_aside[0].0, asked[0]);
    assert!(!found.set_aside[0].1.is_empty());
    assert_eq!(found.order()[0].1.outcome, Outcome::Meets);
    let by_energy = Needs { rank_by: Some(What::JoulesPerToken), ..needs(Vec::new()) };
    let found = standings(&records, &by_energy);
    assert_eq!(found.undecided.as_ref().unwrap().0, What::JoulesPerToken);
    assert_eq!(found.found.rank_by, What::TokensPerSecond);
}

#[test]
fn models_far_behind_a_need_are_left_unless_all_are() {
    let space = space();
    let speeds = [(A, 100.0), (B, 45.0), (C, 20.0)];
    let records: Vec<Record> =
        speeds.iter().flat_map(|(model, speed)| decode(&space.start(model), *speed, 2)).collect();
    let found = standings(&records, &needs(vec![least(What::TokensPerSecond, 50.0)]));
    assert_eq!(found.models(3, 0.25), [A, B], "45 of 50 is within a quarter, 20 is not");
    let found = standings(&records, &needs(vec![least(What::TokensPerSecond, 900.0)]));
    assert_eq!(found.models(2, 0.25), [A, B], "none may be left, so the nearest are kept");
}

#[test]
fn neighbours_change_one_setting_and_what_helped_is_put_together() {
    let space = space();
    let start = space.start(A);
    let around = space.neighbours(&start);
    assert_eq!(around.len(), 3);
    assert!(around.iter().all(|point| space.changes(point) == 1));
    let one_thread = Point { threads: Some(1), ..start.clone() };
    let eight_bits = Point { kv: KvType::Q8_0, ..start.clone() };
    let coarse = Point { numerics: Some(Numerics::Requantised), ..start.clone() };
    let mut records = decode(&start, 100.0, 2);
    records.extend(decode(&one_thread, 110.0, 1));
    records.extend(decode(&eight_bits, 130.0, 1));
    records.extend(decode(&coarse, 80.0, 1));
    let found = standings(&records, &needs(Vec::new()));
    let both = Point { threads: Some(1), kv: KvType::Q8_0, ..start.clone() };
    assert_eq!(found.finalists(&[A.to_owned()], &space), [start, eight_bits, both]);
}

#[test]
fn a_tie_goes_to_the_fewest_changes_and_what_has_no_interval_never_before_a_better_value() {
    let space = space();
    let start = space.start(A);
    let other = Point { kv: KvType::Q8_0, ..start.clone() };
    let both = [start.clone(), other.clone()];
    let won = |at: f64, launches: u32| {
        let mut records = decode(&start, 100.0, launches);
        records.extend(decode(&other, at, launches));
        winner(&standings(&records, &needs(Vec::new())), &both, &space).unwrap()
    };
    let tie = won(100.1, 5);
    assert_eq!((&tie.point, tie.tied.as_slice()), (&start, std::slice::from_ref(&other)));
    let clear = won(150.0, 5);
    assert_eq!((&clear.point, clear.tied.len()), (&other, 0));
    let one_launch = won(150.0, 1);
    assert_eq!(one_launch.point, other, "a better value without an interval stays ahead");
    assert_eq!(
        one_launch.tied,
        std::slice::from_ref(&start),
        "and the other is told as not shown to be worse"
    );
    assert!(winner(&standings(&[], &needs(Vec::new())), &both, &space).is_none());
}

#[test]
fn what_weights_are_worth_counts_for_every_number_of_threads_but_not_for_other_keys_and_values() {
    let space = space();
    let start = space.start(A);
    let one_thread = Point { threads: Some(1), ..start.clone() };
    let eight_bits = Point { kv: KvType::Q8_0, ..start.clone() };
    let mut records = decode(&start, 100.0, 2);
    records.extend(decode(&one_thread, 90.0, 2));
    records.extend(decode(&eight_bits, 95.0, 2));
    let loss = [(Metric::KldMean, 0.01, 0.001)];
    let scored = build::quality::scored("cpu:avx2", A, "kld", &loss);
    records.push(scored.with(|record| record.cell.options.threads = start.threads).done());
    let found = standings(&records, &needs(vec![most(What::KldMean, 0.1)]));
    let of = |point: &Point| {
        let order = found.order();
        let (_, one) = order.iter().find(|(other, _)| other == point).unwrap();
        (one.outcome, one.candidate.value(What::KldMean).and_then(|figure| figure.note.clone()))
    };
    assert_eq!(of(&start), (Outcome::Meets, None));
    let (outcome, note) = of(&one_thread);
    assert_eq!(outcome, Outcome::Meets);
    assert_eq!(note.as_deref(), Some("measured with threads 2, sequences 1"));
    assert_eq!(of(&eight_bits), (Outcome::Open, None));
}
