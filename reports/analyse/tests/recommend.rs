//! The recommendation: needs, costs, ties, verification, soaks, stability, and what if.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;

use build::needs::{least, most};
use build::{cell, launches};
use yardstick_analyse::Comparison;
use yardstick_analyse::recommend::{
    Api, Cited, Family, Judged, Needs, Only, Outcome, Recommendation, Stated, What, Workload,
    recommend,
};
use yardstick_api::Known;
use yardstick_record::{Outcome as Ended, Record};

const A: &str = "smollm-135m:Q4_0";
const B: &str = "smollm-135m:Q8_0";

/// Five launches of decode and prefill, a few parts in a thousand apart.
fn speeds(device: &str, model: &str, decode: f64, prefill: f64) -> Vec<Record> {
    let mut records = launches(5, |n| cell(device, model, "tg64").launch(n).speed(decode, 8));
    records.extend(launches(5, |n| cell(device, model, "pp512").launch(n).speed(prefill, 8)));
    records
}

fn needs() -> Needs {
    build::needs::needs(Vec::new())
}

fn decide(records: &[Record], needs: Needs) -> Recommendation {
    recommend(&Comparison::of(records), Vec::new(), needs, 1)
}

fn of<'a>(found: &'a Recommendation, model: &str) -> &'a Judged {
    found.judged.iter().find(|one| one.candidate.model == model).unwrap()
}

#[test]
fn what_misses_a_need_is_excluded_by_its_margin_with_the_records_behind_it() {
    let records = [speeds("cpu:avx2", A, 100.0, 1000.0), speeds("cpu:avx2", B, 40.0, 900.0)];
    let needs = Needs { requirements: vec![least(What::TokensPerSecond, 50.0)], ..needs() };
    let found = decide(&records.concat(), needs);
    let (a, b) = (of(&found, A), of(&found, B));
    assert_eq!((a.outcome, b.outcome), (Outcome::Meets, Outcome::Misses));
    let margin = b.findings[0].margin.unwrap();
    assert!((margin + 0.2).abs() < 0.01, "{margin}");
    assert!(b.findings[0].shown);
    assert_eq!(b.findings[0].found.value().unwrap().records.len(), 5);
    assert_eq!(found.places.len(), 1);
}

#[test]
fn a_need_that_cannot_be_judged_keeps_a_candidate_out_and_says_why() {
    let needs = Needs { requirements: vec![most(What::Watts, 5.0)], ..needs() };
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), needs);
    let one = of(&found, A);
    assert_eq!((one.outcome, found.places.len()), (Outcome::Open, 0));
    assert!(one.findings[0].found.reason().unwrap().contains("no meter"));
    assert!(found.stability.is_none());
}

#[test]
fn what_is_invalid_or_unverified_is_never_ranked() {
    let invalid = |n| {
        let ended = Ended::Invalid { reason: "ran elsewhere".into() };
        cell("cpu:avx2", B, "tg64").launch(n).ended(ended)
    };
    let mut records = speeds("cpu:avx2", A, 100.0, 1000.0);
    records.extend(launches(3, invalid));
    let found = decide(&records, needs());
    assert_eq!(of(&found, B).outcome, Outcome::Barred);
    assert!(of(&found, B).candidate.barred.as_ref().unwrap().contains("ran elsewhere"));
    assert_eq!(found.places.len(), 1);
}

#[test]
fn ties_share_a_place_and_clear_leads_do_not() {
    let near = [speeds("cpu:avx2", A, 100.0, 1000.0), speeds("cpu:avx2", B, 100.2, 1000.0)];
    let found = decide(&near.concat(), needs());
    assert_eq!(found.rank_by, What::TokensPerSecond);
    assert!(found.places.iter().all(|place| place.place == 1 && place.tied));
    let apart = [speeds("cpu:avx2", A, 100.0, 1000.0), speeds("cpu:avx2", B, 60.0, 1000.0)];
    let found = decide(&apart.concat(), needs());
    let places: Vec<(usize, bool)> = found.places.iter().map(|p| (p.place, p.tied)).collect();
    assert_eq!(places, [(1, false), (2, false)]);
    let stability = found.stability.unwrap();
    assert_eq!(stability.wins, [(found.places[0].candidate, 1.0)]);
    // 60 of 100: below that share of its speed the other is first.
    let (share, to) = stability.unsoaked.unwrap();
    assert!((share - 0.6).abs() < 0.01 && to == Some(found.places[1].candidate), "{share}");
}

#[test]
fn one_launch_proves_nothing_so_that_all_tie_within_an_assumed_span() {
    let mut records = vec![cell("cpu:avx2", A, "tg64").speed(100.0, 8).done()];
    records.push(cell("cpu:avx2", B, "tg64").speed(80.0, 8).done());
    let found = decide(&records, needs());
    assert!(found.places.iter().all(|place| place.tied));
    let stability = found.stability.unwrap();
    // Neither speed has an interval over launches.
    assert!(stability.assumed >= 2, "{stability:?}");
    assert!(stability.wins.len() == 2, "{stability:?}");
}

/// 100 tokens/s, no prompt, 864,000 tokens a day: busy 8,640 s a day, at 36 W 311,040 J or 0.0864 kWh.
fn priced() -> Needs {
    let workload = Workload {
        tokens_per_day: Some(864_000.0),
        electricity_per_kwh: Some(0.5),
        ..needs().workload
    };
    let machine =
        Stated { name: "Intel*".into(), price: Some(100.0), watts: Some(36.0), idle_watts: None };
    Needs { workload, machines: vec![machine], api: Some(Api::PerMillionTokens(1.0)), ..needs() }
}

#[test]
fn costs_follow_from_speed_power_and_price() {
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), priced());
    let one = of(&found, A);
    let value = |what: What| one.figure(what).value().unwrap().value;
    let speed = value(What::TokensPerSecond);
    let busy = 864_000.0 / speed;
    let energy = 36.0 * busy / 3.6e6 * 0.5;
    let close = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} for {expected}");
    };
    close(value(What::JoulesPerToken), 36.0 / speed);
    close(value(What::TotalCost), 100.0 + 365.0 * energy);
    close(value(What::CostPerMillionTokens), (100.0 + 365.0 * energy) / (365.0 * 0.864));
    close(value(What::Headroom), 86_400.0 / busy);
    close(*one.devices.value().unwrap(), 1.0);
    close(one.break_even_days.value().unwrap().unwrap(), 100.0 / (0.864 - energy));
    close(*found.api_total.as_ref().unwrap().value().unwrap(), 365.0 * 0.864);
    assert_eq!(found.rank_by, What::TotalCost);
    let note = one.figure(What::TotalCost).value().unwrap().note.clone().unwrap();
    assert!(note.contains("power stated") && note.contains("price stated"), "{note}");
}

#[test]
fn an_api_cheaper_than_the_electricity_is_never_caught_up_with() {
    let needs = Needs { api: Some(Api::PerRequest(1e-9)), ..priced() };
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), needs);
    assert_eq!(of(&found, A).break_even_days, Known::Value(None));
}

#[test]
fn missing_power_or_price_is_no_number_and_says_what_is_missing() {
    let mut needs = priced();
    needs.machines[0].watts = None;
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), needs);
    let reason = |what: What| of(&found, A).figure(what).reason().unwrap().to_owned();
    assert!(reason(What::TotalCost).contains("no meter"), "{}", reason(What::TotalCost));
    assert!(reason(What::JoulesPerToken).contains("power is not known"));
    assert_eq!(found.rank_by, What::TokensPerSecond);
    let mut needs = priced();
    needs.machines.clear();
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), needs);
    let reason = of(&found, A).figure(What::TotalCost).reason().unwrap().to_owned();
    assert!(reason.contains("price is not known"), "{reason}");
}

#[test]
fn a_fleet_too_small_for_the_work_misses_and_one_without_a_size_grows() {
    let mut needs = priced();
    needs.workload.tokens_per_day = Some(20e6);
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), needs.clone());
    assert_eq!(of(&found, A).devices, Known::Value(3.0));
    assert_eq!(of(&found, A).outcome, Outcome::Meets);
    needs.workload.devices = Some(2.0);
    let found = decide(&speeds("cpu:avx2", A, 100.0, 1000.0), needs);
    assert_eq!(of(&found, A).outcome, Outcome::Misses);
}

#[test]
fn worlds_repeat_with_their_seed() {
    let near = [speeds("cpu:avx2", A, 100.0, 1000.0), speeds("cpu:avx2", B, 100.5, 1000.0)];
    let comparison = Comparison::of(&near.concat());
    let wins = |seed| recommend(&comparison, Vec::new(), needs(), seed).stability.unwrap().wins;
    assert_eq!(wins(1), wins(1));
    assert!(wins(1).iter().map(|(_, share)| share).sum::<f64>() > 0.999);
}

#[test]
fn filters_ask_about_some() {
    let all = [speeds("cpu:avx2", A, 100.0, 1000.0), speeds("cpu:avx2", B, 60.0, 1000.0)].concat();
    let only = |only: Only| decide(&all, Needs { only, ..needs() }).judged.len();
    assert_eq!(only(Only { quantisations: vec!["Q8_0".into()], ..Only::default() }), 1);
    assert_eq!(only(Only { models: vec!["smollm-135m".into()], ..Only::default() }), 2);
    assert_eq!(only(Only { devices: vec!["cuda".into()], ..Only::default() }), 0);
    let classes = vec![yardstick_analyse::predict::Class::Phone];
    assert_eq!(only(Only { classes, ..Only::default() }), 0);
}

#[test]
fn facts_of_models_filter_and_one_that_nobody_cites_is_told() {
    let cite = |value: &str| Cited {
        value: value.into(),
        source: "https://example.org".into(),
        quote: value.into(),
    };
    let family = |preset: &str, licence: Option<&str>| Family {
        presets: vec![preset.into()],
        licence: licence.map(cite),
        strengths: Vec::new(),
        targets: vec![cite("edge")],
    };
    let families = vec![
        family("smollm-135m", Some("Apache-2.0")),
        family("gemma-3-1b", Some("Gemma Terms of Use")),
        family("tinyllama-1.1b", None),
    ];
    let models = [A, "gemma-3-1b:Q4_0", "tinyllama-1.1b:Q4_0"];
    let records: Vec<Record> =
        models.iter().flat_map(|model| speeds("cpu:avx2", model, 50.0, 500.0)).collect();
    let only = Only { licences: vec!["apache-2.0".into()], ..Only::default() };
    let found = decide(&records, Needs { only, families: families.clone(), ..needs() });
    assert_eq!(of(&found, A).outcome, Outcome::Meets);
    assert_eq!(of(&found, A).candidate.licence.as_ref().unwrap().value, "Apache-2.0");
    assert!(found.judged.iter().all(|one| one.candidate.model != "gemma-3-1b:Q4_0"));
    let unknown = of(&found, "tinyllama-1.1b:Q4_0");
    assert_eq!(unknown.outcome, Outcome::Barred);
    assert!(unknown.candidate.barred.as_ref().unwrap().contains("licence not known"));
    let only = Only { targets: vec!["edge".into()], ..Only::default() };
    let found = decide(&records, Needs { only, families, ..needs() });
    assert_eq!(found.places.len(), 3, "all are made for it");
}
