//! What a record from elsewhere must not claim, and that what was really measured claims nothing of it.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;

use build::{Build, cell};
use yardstick_analyse::flaw;
use yardstick_api::Known;
use yardstick_record::{Direction, Reading, Record, VerificationStatus};

fn good() -> Build {
    cell("cpu:avx2", "smollm-135m:Q4_0", "tg8").speed(120.0, 6)
}

fn reading(name: &str, value: f64, unit: &str, scope: &str) -> Reading {
    Reading {
        name: name.into(),
        value: Known::Value(value),
        unit: unit.into(),
        better: Some(Direction::Lower),
        source: "a test".into(),
        scope: scope.into(),
        precision: None,
    }
}

#[test]
fn what_was_measured_is_plausible() {
    assert_eq!(flaw(&good().done()), None);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../records");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let record = Record::from_json(line).unwrap();
                assert_eq!(flaw(&record), None, "{} {}", record.cell.key(), record.id);
                read += 1;
            }
        }
    }
    assert!(read > 300, "{read}");
}

type Spoil = fn(&mut Record);

#[test]
fn each_claim_that_cannot_be_true_is_named_by_its_field() {
    let table: [(&str, Spoil); 20] = [
        ("samples.1.nanoseconds", |r| r.samples[1].nanoseconds = 0),
        ("samples.0.tokens", |r| r.samples[0].tokens = 9),
        ("samples.0.tokens", |r| r.samples[0].tokens = 0),
        ("samples.1.started_ns", |r| r.samples[1].started_ns = 5),
        ("samples.2.emits_ns", |r| r.samples[2].emits_ns.reverse()),
        ("samples.2.emits_ns", |r| *r.samples[2].emits_ns.last_mut().unwrap() = u64::MAX),
        ("samples.2.emits_ns", |r| r.samples[2].emits_ns.insert(0, 0)),
        ("samples.3.cpu_ns", |r| r.samples[3].cpu_ns = Some(u64::MAX)),
        ("outcome", |r| r.samples.clear()),
        // Ten times as fast as the bandwidth measured beside it lets anything be.
        ("samples", |r| {
            for sample in &mut r.samples {
                sample.nanoseconds /= 10;
                sample.emits_ns.iter_mut().for_each(|at| *at /= 10);
            }
        }),
        ("ceiling.bytes_per_second", |r| {
            if let Known::Value(ceiling) = &mut r.ceiling {
                ceiling.bytes_per_second = -1.0;
            }
        }),
        // On average faster than the best.
        ("ceiling.sustained_bytes_per_second", |r| {
            if let Known::Value(ceiling) = &mut r.ceiling {
                ceiling.sustained_bytes_per_second = Some(ceiling.bytes_per_second * 1.01);
            }
        }),
        ("readings.peak_rss_bytes", |r| r.readings[0].value = Known::Value(-1.0)),
        ("readings.x_watts", |r| r.readings.push(reading("x_watts", 5000.0, "W", "package"))),
        ("readings.x_joules", |r| {
            r.readings.push(reading("window_seconds", 10.0, "s", "test"));
            r.readings.push(reading("x_watts", 100.0, "W", "package"));
            r.readings.push(reading("x_joules", 10.0, "J", "package"));
        }),
        ("verification.checks", |r| r.verification.checks.clear()),
        ("verification.numerics", |r| r.verification.numerics = None),
        ("verification.checks.prefill", |r| r.verification.checks[0].value = Known::Value(0.8)),
        ("verification.checks.prefill", |r| {
            r.verification.checks[0].value = Known::Value(0.8);
            r.verification.checks[0].limit = 1.0;
        }),
        ("verification.checks.step", |r| r.verification.checks[1].compared = 0),
    ];
    for (field, spoil) in table {
        let found = flaw(&good().with(spoil).done());
        assert_eq!(found.as_ref().map(|flaw| flaw.field.as_str()), Some(field), "{found:?}");
    }
    // A failure that is told as one claims nothing.
    let failed = good().with(|r| {
        r.verification.status = VerificationStatus::Failed;
        r.verification.checks[0].value = Known::Value(0.8);
    });
    assert_eq!(flaw(&failed.done()), None);
}
