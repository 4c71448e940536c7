//! `yardstick memory` and `report --memory`: the account, first use, a leak that is caught and none that is not there, what fits.
#![cfg(feature = "cpu")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::{Place, SHORT};

fn memory(place: &Place, flags: &[&str]) -> Value {
    let (code, out, err) =
        place.run(&[&["memory", "-m", "tiny:Q4_0", "-f", "json"], flags].concat());
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn an_account_first_use_and_what_fits_of_the_cpu() {
    let place = Place::new();
    let found = memory(&place, &["--threads", "1", "--first-use", "--fits"]);
    let account = &found["memory"]["account"];
    assert!(account["held"]["mapped_bytes"].as_u64().unwrap() > 0, "{account}");
    assert!(found["difference_bytes"].is_number() || found["difference_bytes"].is_object());
    let ways = found["memory"]["first_use"].as_array().unwrap();
    assert!(ways.len() >= 2, "{ways:?}");
    assert!(ways.iter().all(|way| way["first_ns"].as_u64().unwrap() > 0));
    assert!(found["memory"]["growth"].is_null(), "nobody asked");
    let fits = found["memory"]["fits"].as_array().unwrap();
    let depths: Vec<u64> = fits.iter().map(|fit| fit["depth"].as_u64().unwrap()).collect();
    assert!(depths.len() == 5 && depths.windows(2).all(|pair| pair[0] >= pair[1]), "{depths:?}");
    let budget = found["memory"]["budget_bytes"].as_u64().unwrap();
    assert!(fits.iter().all(|fit| fit["bytes"].as_u64().unwrap() <= budget));
    assert!(fits[0]["checked"]["unavailable"].as_str().unwrap().contains("not run"));
}

#[test]
fn a_double_that_leaks_is_caught_and_the_cpu_does_not_grow() {
    let place = Place::new();
    let leak = ["-d", "null:leak", "--test-doubles", "--leak", "24"];
    let growth = &memory(&place, &leak)["memory"]["growth"];
    assert_eq!(growth["grows"], true, "{growth}");
    let cpu = &memory(&place, &["--threads", "1", "--leak", "40"])["memory"]["growth"];
    assert_eq!(cpu["grows"], false, "{cpu}");
    let (code, out, err) = place.run(&[&["memory", "-m", "tiny:Q4_0"], &leak[..]].concat());
    assert!(code == 0 && out.contains("LEAKS: every request keeps"), "{out} {err}");
    let (code, _, err) = place.run(&["memory", "-m", "tiny:Q4_0", "--leak", "3"]);
    assert!(code == 2 && err.contains("growth needs 16 requests"), "{err}");
}

#[test]
fn a_report_reconciles_what_was_told_with_what_was_seen() {
    let place = Place::new();
    let asked = ["-m", "tiny:Q4_0", "-d", "cpu", "-t", "tg4", "--threads", "1", "--launches", "1"];
    let (code, records, err) = place.records(&[&asked[..], &SHORT].concat());
    assert_eq!((code, records.len()), (0, 1), "{err}");
    let (code, out, err) = place.run(&["report", "--memory", "--format", "json"]);
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let line = &found["memory"][0];
    assert_eq!(line["model"], "tiny:Q4_0");
    let held = &line["held"];
    let told: f64 = ["mapped_bytes", "copied_bytes", "kv_bytes", "scratch_bytes"]
        .iter()
        .map(|part| held[part].as_f64().unwrap())
        .sum();
    if let (Some(seen), Some(difference)) =
        (line["seen_bytes"].as_f64(), line["difference_bytes"].as_f64())
    {
        assert!((seen - told - difference).abs() < 1.0, "{line}");
    }
    let (_, text, _) = place.run(&["report", "--memory"]);
    assert!(text.contains("Memory: what backends tell and what the system saw"), "{text}");
    let (_, text, _) = place.run(&["report"]);
    assert!(!text.contains("what the system saw"), "only where it is asked for");
}
