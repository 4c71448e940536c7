//! Sides are joined by what was measured, differences are told with their doubts, and unlike things are not compared unasked.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;

use build::{Build, cell, launches};
use yardstick_analyse::sides::{By, Refusal, Side, Sides};
use yardstick_analyse::{Brief, Difference};
use yardstick_api::Known;
use yardstick_record::{Metric, Record};

fn side(name: &str, by: By, records: &[Record]) -> Side {
    Side { name: name.to_owned(), by, briefs: records.iter().map(Brief::of).collect() }
}

fn in_run(run: &str, build: Build) -> Build {
    build.with(|record| record.run.id = run.to_owned())
}

/// Six launches of a cell in a run.
fn six(run: &str, device: &str, model: &str, test: &str, speed: f64) -> Vec<Record> {
    launches(6, |launch| in_run(run, cell(device, model, test).launch(launch).speed(speed, 5)))
}

fn join(a: &[Record], b: &[Record]) -> Result<Sides, Refusal> {
    Sides::join(&[side("a", By::Run, a), side("b", By::Run, b)], &[], false)
}

#[test]
fn what_changed_most_comes_first_and_ties_are_ties() {
    let tests = ["tg8", "tg16", "pp64"];
    let run = |name: &str, speeds: [f64; 3]| -> Vec<Record> {
        tests
            .iter()
            .zip(speeds)
            .flat_map(|(t, s)| six(name, "cpu:avx2", "tiny:Q4_0", t, s))
            .collect()
    };
    let found = join(&run("a", [50.0, 50.0, 900.0]), &run("b", [50.1, 40.0, 1000.0])).unwrap();
    let headlines: Vec<_> = found.lines.iter().filter(|line| line.headline).collect();
    let told: Vec<_> = headlines
        .iter()
        .map(|line| {
            let shift = line.shifts[1].as_ref().unwrap();
            (line.cell.test.to_string(), shift.difference, shift.better)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("tg16".to_owned(), Difference::Shown, Some(false)),
            ("pp64".to_owned(), Difference::Shown, Some(true)),
            ("tg8".to_owned(), Difference::NotShown, None),
        ]
    );
    assert!(found.lone.is_empty(), "{:?}", found.lone);
    assert_eq!(found.shown().count(), 2);
    let memory = found.lines.iter().find(|line| line.metric == Metric::PeakRssBytes).unwrap();
    assert_eq!(memory.shifts[1].as_ref().unwrap().difference, Difference::NotShown);
}

#[test]
fn cells_of_one_side_say_what_the_other_lacks() {
    let mut a = six("a", "cpu:avx2", "tiny:Q4_0", "tg8", 50.0);
    a.extend(six("a", "cpu:avx2", "tiny:Q4_0", "pp64", 900.0));
    a.extend(six("a", "cpu:avx2", "tiny:Q8_0", "tg8", 30.0));
    a.extend(six("a", "cpu:avx512", "tiny:Q4_0", "tg8", 60.0));
    let mut b = six("b", "cpu:avx2", "tiny:Q4_0", "tg8", 50.0);
    let crash = |launch| {
        let outcome = yardstick_record::Outcome::Invalid { reason: "it ran elsewhere".into() };
        in_run("b", cell("cpu:avx2", "tiny:Q4_0", "tg16").launch(launch).ended(outcome))
    };
    b.extend(launches(1, crash));
    let sequences = |record: &mut Record| record.cell.options.sequences = 4;
    b.extend(launches(3, |launch| {
        in_run("b", cell("cpu:avx512", "tiny:Q4_0", "tg8").launch(launch).speed(60.0, 5))
            .with(sequences)
    }));
    let found = join(&a, &b).unwrap();
    let words: Vec<String> = found.lone.iter().map(|lone| lone.words()).collect();
    for expected in [
        "pp64 cpu:avx2, sequences 1: not on b (no record of pp64)",
        "not on b (no record of model tiny:Q8_0",
        "sequences 1: not on b (measured with other options: sequences 4, not 1)",
        "sequences 4: not on a (measured with other options: sequences 1, not 4)",
        "not on b (invalid: it ran elsewhere)",
    ] {
        assert!(words.iter().any(|words| words.contains(expected)), "{expected}: {words:#?}");
    }
}

#[test]
fn unlike_hosts_and_unlike_models_are_refused_unless_insisted() {
    let a = six("a", "cpu:avx2", "tiny:Q4_0", "tg8", 50.0);
    let other = |change: fn(&mut Record)| -> Vec<Record> {
        launches(6, |launch| {
            in_run("b", cell("cpu:avx2", "tiny:Q4_0", "tg8").launch(launch).speed(25.0, 5))
                .with(change)
        })
    };
    let host = other(|record| record.environment.set("cpu.model", "Another CPU"));
    let refused = join(&a, &host).unwrap_err();
    assert!(matches!(refused, Refusal::Hosts { .. }), "{refused}");
    assert!(refused.to_string().contains("Another CPU"), "{refused}");
    let file = other(|record| record.cell.model.sha256 = Known::Value("feed".repeat(16)));
    let refused = join(&a, &file).unwrap_err();
    assert!(
        refused.to_string().contains("is (") && refused.to_string().contains("feedfeed"),
        "{refused}"
    );
    for b in [&host, &file] {
        let sides = [side("a", By::Run, &a), side("b", By::Run, b)];
        let found = Sides::join(&sides, &[], true).unwrap();
        let shift = found.lines[0].shifts[1].as_ref().unwrap();
        assert_eq!((shift.difference, shift.better), (Difference::Shown, Some(false)));
    }
    let apart = six("b", "cpu:avx2", "other:Q4_0", "tg8", 50.0);
    assert!(matches!(join(&a, &apart), Err(Refusal::Nothing { .. })));
    assert_eq!(join(&a, &[]).unwrap_err().to_string(), "b: no records");
}

#[test]
fn devices_models_and_builds_are_joined_across_themselves() {
    let avx2 = six("a", "cpu:avx2", "tiny:Q4_0", "tg8", 50.0);
    let wgpu = six("a", "wgpu:0", "tiny:Q4_0", "tg8", 80.0);
    let large = six("a", "cpu:avx2", "tiny:Q8_0", "tg8", 30.0);
    let labelled = |label: &str, speed: f64| -> Vec<Record> {
        launches(6, |launch| {
            in_run("a", cell("cpu:avx2", "tiny:Q4_0", "tg8").launch(launch).speed(speed, 5))
                .with(|record| record.cell.build = Some(label.to_owned()))
        })
    };
    let (base, candidate) = (labelled("base", 50.0), labelled("candidate", 49.9));
    for (by, b, a, difference) in [
        (By::Device, &wgpu, &avx2, Difference::Shown),
        (By::Model, &large, &avx2, Difference::Shown),
        (By::Build, &candidate, &base, Difference::NotShown),
    ] {
        let found = Sides::join(&[side("a", by, a), side("b", by, b)], &[], false).unwrap();
        assert_eq!(found.lines[0].shifts[1].as_ref().unwrap().difference, difference, "{by:?}");
    }
    assert!(join(&avx2, &wgpu).is_err());
}

#[test]
fn three_sides_are_each_held_against_the_first() {
    let runs: Vec<Side> = [("a", 50.0), ("b", 60.0), ("c", 40.0)]
        .map(|(name, speed)| side(name, By::Run, &six(name, "cpu:avx2", "tiny:Q4_0", "tg8", speed)))
        .to_vec();
    let found = Sides::join(&runs, &[], false).unwrap();
    let line = found.lines.iter().find(|line| line.headline).unwrap();
    let better: Vec<_> = line.shifts.iter().map(|s| s.as_ref().and_then(|s| s.better)).collect();
    assert_eq!(better, [None, Some(true), Some(false)]);
}

#[test]
fn a_record_given_twice_counts_once_and_few_launches_show_nothing() {
    let a = six("a", "cpu:avx2", "tiny:Q4_0", "tg8", 50.0);
    let twice = [a.clone(), a.clone()].concat();
    let b = six("b", "cpu:avx2", "tiny:Q4_0", "tg8", 25.0);
    let found = join(&twice, &b[..2]).unwrap();
    let line = found.lines.iter().find(|line| line.headline).unwrap();
    assert_eq!(line.values[0].value().unwrap().n, 6);
    assert_eq!(line.shifts[1].as_ref().unwrap().difference, Difference::NoInterval);
}
