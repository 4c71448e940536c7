//! Figures a recommendation stands on beside speed and price: sustained speed, losses of quality, watts at work and at rest, battery.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;

use build::needs::{least, most, needs};
use build::quality::scored;
use build::{cell, launches, sample};
use yardstick_analyse::Comparison;
use yardstick_analyse::recommend::{
    Basis, Judged, Outcome, Recommendation, Requirement, What, recommend,
};
use yardstick_api::Known;
use yardstick_record::{Metric, Precision, Reading, Record, Soak};

const DEVICE: &str = "cpu:avx2";
const SMALL: &str = "rustdoc-6m:Q4_0";
const LARGE: &str = "rustdoc-6m:Q8_0";

fn decide(records: &[Record], requirements: Vec<Requirement>) -> Recommendation {
    let mut needs = needs(requirements);
    needs.workload.battery_wh = Some(20.0);
    recommend(&Comparison::of(records), Vec::new(), needs, 1)
}

fn of<'a>(found: &'a Recommendation, model: &str) -> &'a Judged {
    found.judged.iter().find(|one| one.candidate.model == model).unwrap()
}

fn decode(model: &str, speed: f64) -> Vec<Record> {
    launches(5, |n| {
        cell(DEVICE, model, "tg64").launch(n).speed(speed, 8).with(|record| {
            record.cell.model.random_weights = None;
        })
    })
}

/// Four minutes of decode: at one speed for the first, at another to the end.
fn soak(model: &str, burst: f64, sustained: f64) -> Record {
    cell(DEVICE, model, "tg64")
        .with(|record| {
            record.cell.model.random_weights = None;
            let mut at = 0_u64;
            while at < 240_000_000_000 {
                let speed = if at < 60_000_000_000 { burst } else { sustained };
                let mut one = sample(64, (64.0 * 1e9 / speed) as u64, 64);
                one.started_ns = at;
                at += one.nanoseconds;
                record.samples.push(one);
            }
            record.soak = Some(Soak {
                asked_seconds: 240.0,
                cool_down: "60 s of rest".into(),
                rest_seconds: 60.0,
                after_rest: 0,
                tracks: Vec::new(),
            });
        })
        .done()
}

#[test]
fn a_need_is_held_to_the_speed_that_a_soak_ended_at() {
    let mut records = decode(SMALL, 50.0);
    let asked = || vec![least(What::TokensPerSecond, 40.0)];
    assert_eq!(of(&decide(&records, asked()), SMALL).outcome, Outcome::Meets);
    records.push(soak(SMALL, 50.0, 30.0));
    let found = decide(&records, asked());
    let one = of(&found, SMALL);
    assert_eq!(one.outcome, Outcome::Misses, "30 tokens/s is what it holds");
    let figure = one.candidate.value(What::TokensPerSecond).unwrap();
    assert_eq!(figure.basis, Basis::Sustained);
    assert!((figure.value - 30.0).abs() < 0.5, "{figure:?}");
    assert!(one.candidate.soaked);
    assert_eq!(figure.records.len(), 6, "the short tests' and the soak's");
}

#[test]
fn losses_of_quality_are_judged_and_a_format_that_was_not_scored_is_left_open() {
    let mut records = decode(SMALL, 60.0);
    records.extend(decode(LARGE, 40.0));
    records.extend(decode("rustdoc-6m:Q6_K", 45.0));
    for (model, kld, perplexity) in [(SMALL, 0.2, 12.0), (LARGE, 0.001, 10.0)] {
        records.push(scored(DEVICE, model, "kld", &[(Metric::KldMean, kld, kld / 20.0)]).done());
        records.push(scored(DEVICE, model, "ppl", &[(Metric::Perplexity, perplexity, 0.3)]).done());
    }
    let found = decide(&records, vec![most(What::KldMean, 0.05)]);
    assert_eq!(of(&found, SMALL).outcome, Outcome::Misses);
    assert_eq!(of(&found, LARGE).outcome, Outcome::Meets);
    assert_eq!(of(&found, "rustdoc-6m:Q6_K").outcome, Outcome::Open);
    assert_eq!(found.places[0].candidate, position(&found, LARGE));

    let found = decide(&records, vec![most(What::PerplexityRatio, 1.05)]);
    let ratio = |model| of(&found, model).candidate.value(What::PerplexityRatio).unwrap().value;
    assert_eq!(ratio(LARGE), 1.0);
    assert!((ratio(SMALL) - 1.2).abs() < 0.05, "{}", ratio(SMALL));
    assert_eq!(of(&found, SMALL).outcome, Outcome::Misses);
    assert_eq!(of(&found, LARGE).outcome, Outcome::Meets);
}

fn position(found: &Recommendation, model: &str) -> usize {
    found.judged.iter().position(|one| one.candidate.model == model).unwrap()
}

fn watts(name: &str, value: f64) -> Reading {
    Reading {
        name: name.into(),
        value: Known::Value(value),
        unit: "W".into(),
        better: None,
        source: format!("source of {name}"),
        scope: "wall".into(),
        precision: Some(Precision { uncertainty: 0.01, rate_hz: 10.0, coverage: 1.0 }),
    }
}

#[test]
fn battery_and_idle_power_come_from_the_meter_and_are_missing_without_one() {
    let metered: Vec<Record> = decode(SMALL, 50.0)
        .into_iter()
        .map(|mut record| {
            record.readings.extend([
                watts("meter_plug_mean_watts", 4.0),
                watts("idle_before_meter_plug_mean_watts", 1.0),
                watts("idle_after_meter_plug_mean_watts", 1.02),
                Reading { unit: "s".into(), scope: "test".into(), ..watts("window_seconds", 30.0) },
            ]);
            record.seal()
        })
        .collect();
    let asked = || vec![least(What::BatteryHours, 4.5), most(What::IdleWatts, 1.5)];
    let found = decide(&metered, asked());
    let one = of(&found, SMALL);
    assert_eq!(one.outcome, Outcome::Meets);
    // 20 Wh at 4 W.
    assert_eq!(one.figure(What::BatteryHours).value().unwrap().value, 5.0);
    assert!((one.figure(What::IdleWatts).value().unwrap().value - 1.01).abs() < 1e-9);
    let found = decide(&decode(SMALL, 50.0), asked());
    let one = of(&found, SMALL);
    assert_eq!(one.outcome, Outcome::Open);
    assert!(one.figure(What::BatteryHours).reason().is_some());
}
