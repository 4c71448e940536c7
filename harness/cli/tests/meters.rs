//! External meters and soaks end to end.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::Place;
use yardstick_record::Record;

const METER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../probes/examples/meter.py");

fn value(record: &Record, name: &str) -> f64 {
    let reading = record.reading(name).unwrap_or_else(|| panic!("no {name}"));
    *reading.value.value().unwrap_or_else(|| panic!("{reading:?}"))
}

#[test]
fn a_meter_beside_the_run_becomes_joules_per_token_with_idle_power_beside() {
    let place = Place::new();
    let meter = format!("plug=python3 {METER} 0.01");
    let (code, records, err) = place.records(&[
        "-m",
        "tiny:Q4_0",
        "-d",
        "cpu",
        "-t",
        "tg8",
        "--seed",
        "7",
        "--energy",
        "1",
        "--meter",
        &meter,
    ]);
    assert_eq!((code, records.len()), (0, 1), "{err}");
    let joules = value(&records[0], "meter_plug_joules");
    assert!(joules > 50.0 && value(&records[0], "window_seconds") >= 1.0, "{joules}");
    for idle in ["idle_before_meter_plug_mean_watts", "idle_after_meter_plug_mean_watts"] {
        assert!((60.0..120.0).contains(&value(&records[0], idle)), "{idle}");
    }
    let (code, out, err) = place.run(&["report", "-f", "csv", "--grid", "400"]);
    assert!(code == 0 && out.contains("meter_plug_mean") && out.contains(",wall,"), "{out}{err}");
    assert!(out.contains("co2_grams_per_million_tokens"), "{out}");
}

#[test]
fn a_recording_is_laid_over_a_run_afterwards() {
    let place = Place::new();
    let flags = ["-m", "tiny:Q4_0", "-d", "cpu", "-t", "tg8", "--seed", "7", "--energy", "1"];
    let (code, records, err) = place.records(&flags);
    assert_eq!(code, 0, "{err}");
    let start = value(&records[0], "window_start_seconds");
    let lines: String = (0..600)
        .map(|n| format!("{:.2},{}\n", start - 1.0 + f64::from(n) * 0.02, 60 + n % 2))
        .collect();
    let file = place.path("plug.csv");
    std::fs::write(&file, lines).unwrap();
    let meter = format!("plug={}", file.display());
    let (code, out, err) = place.run(&["report", "-f", "csv", "--meter", &meter]);
    assert!(code == 0 && out.contains(",wall,"), "{out}{err}");
    let (code, out, _) =
        place.run(&["report", "-f", "csv", "--meter", &meter, "--meter-offset", "plug=9000"]);
    assert!(code == 0 && !out.contains(",wall,") && out.contains("after the test"), "{out}");
    std::fs::write(&file, "54 W\n").unwrap();
    let (code, _, err) = place.run(&["report", "--meter", &meter]);
    assert!(code == 2 && err.contains("line 1: expected timestamp,watts"), "{err}");
}

#[test]
fn a_meter_that_cannot_be_used_ends_the_run_before_anything_is_written() {
    let place = Place::new();
    for (meter, why) in [
        (
            format!("plug=python3 {METER} 0.01 format"),
            "meter plug: line 1: expected timestamp,watts",
        ),
        (format!("plug=python3 {METER} 0.01 dies"), "the plug went away"),
        ("plug=/nonexistent/meter".to_owned(), "cannot be started"),
        ("plug=/nonexistent/plug.csv".to_owned(), "plug.csv"),
    ] {
        let (code, _, err) =
            place.run(&["run", "-m", "tiny:Q4_0", "-d", "cpu", "-t", "tg8", "--meter", &meter]);
        assert!(code == 2 && err.contains(why), "{meter}: {err}");
        assert!(!place.path("records.sqlite").exists(), "{meter}: a store was written");
    }
}

#[test]
fn a_soak_is_stored_with_its_samples_and_shown_with_its_curve() {
    let place = Place::new();
    let soak = ["soak", "-m", "tiny:Q4_0", "-t", "tg8", "--minutes", "0.12", "--rest", "1"];
    let (code, out, err) = place.run(&soak);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("soak of tiny:Q4_0 on cpu") && out.contains("burst t/s: "), "{out}");
    let page = out.lines().last().unwrap().strip_prefix("report: ").unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("id=\"soak\"") && page.contains("Soak of tiny:Q4_0"), "no curve");
    let (_, lines, _) = place.run(&["export"]);
    let record = Record::from_json(lines.lines().next().unwrap()).unwrap();
    let soak = record.soak.unwrap();
    assert!(soak.after_rest > 0 && record.samples.len() > soak.after_rest, "{soak:?}");
    assert!(record.rerun.starts_with("yardstick soak --minutes 0.12 --rest 1"), "{}", record.rerun);
}
