//! Shared rows stand beside those measured here, are never ranked, and say whether they were reproduced.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;

use build::{cell, launches};
use yardstick_analyse::{Comparison, Level};
use yardstick_record::{Profile, Record, Shared};

fn measured(speed: f64, count: u32) -> Vec<Record> {
    launches(count, move |launch| {
        cell("cpu:avx2", "smollm-135m:Q4_0", "tg8").launch(launch).speed(speed, 6)
    })
}

fn shared(records: Vec<Record>) -> Vec<Record> {
    let share = |record: Record| {
        let shared = Some(Shared { original: record.id.clone(), profile: Profile::Public });
        Record { shared, ..record }.seal()
    };
    records.into_iter().map(share).collect()
}

fn level(records: &[Record]) -> (String, Option<String>) {
    let comparison = Comparison::of(records);
    let row = comparison.rows.iter().find(|row| row.is_shared()).unwrap();
    let ranked = comparison.rankings.iter().flat_map(|ranking| &ranking.order);
    assert!(ranked.into_iter().all(|&index| !comparison.rows[index].is_shared()));
    let why = match row.level.as_ref().unwrap() {
        Level::SelfReported { why } => Some(why.clone()),
        Level::Reproduced { by } => {
            assert!(!comparison.rows[*by].is_shared());
            None
        }
    };
    (row.level.as_ref().unwrap().name().to_owned(), why)
}

#[test]
fn a_shared_row_is_reproduced_by_an_overlapping_interval_of_ours_alone() {
    let there = || shared(measured(100.0, 5));
    let (name, why) = level(&there());
    assert!(name == "self-reported" && why.unwrap().contains("was not measured"));
    // Other records than those that were shared: the same ones would be the same measurement.
    let here = |speed: f64, count: u32| {
        let mut records = measured(speed, count);
        for record in &mut records {
            record.run.id = "here".into();
            *record = record.clone().seal();
        }
        records
    };
    assert_eq!(level(&[there(), here(100.3, 5)].concat()).0, "reproduced");
    let (_, why) = level(&[there(), here(150.0, 5)].concat());
    assert!(why.unwrap().contains("do not overlap"));
    let (_, why) = level(&[there(), here(100.0, 2)].concat());
    assert!(why.unwrap().contains("too few launches"));
}

#[test]
fn a_copy_beside_its_original_counts_once() {
    let originals = measured(100.0, 3);
    let comparison = Comparison::of(&[shared(originals.clone()), originals].concat());
    assert_eq!(comparison.rows.len(), 1);
    assert!(!comparison.rows[0].is_shared() && comparison.rows[0].launches == 3);
}
