//! Energy from records: which meter speaks, joules a token, idle power, and the estimate of CO2.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;

use build::{Build, cell};
use yardstick_analyse::{Comparison, Row, View};
use yardstick_api::{DeviceKind, Known};
use yardstick_record::{Metric, Precision, Reading, Record};

fn reading(name: &str, unit: &str, scope: &str, value: Known<f64>) -> Reading {
    let precision = Some(Precision { uncertainty: 0.5, rate_hz: 10.0, coverage: 1.0 });
    Reading {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        better: None,
        source: format!("source of {name}"),
        scope: scope.to_owned(),
        precision,
    }
}

fn watts(name: &str, scope: &str, watts: f64) -> Reading {
    reading(name, "W", scope, Known::Value(watts))
}

/// Five samples of 8 tokens at about 20 tokens/s: 2 s, in a window of 2.1 s.
fn metered(readings: Vec<Reading>) -> Build {
    cell("cpu:a", "m:Q4_0", "tg8").speed(20.0, 5).with(|record| {
        record.readings.extend(readings);
        record.readings.push(reading("window_seconds", "s", "test", Known::Value(2.1)));
    })
}

fn row(records: &[Record]) -> Row {
    Comparison::of(records).rows.remove(0)
}

fn median(row: &Row, metric: Metric) -> f64 {
    row.estimate(metric).unwrap_or_else(|| panic!("{:?}", row.metrics[&metric])).median
}

fn reason(row: &Row, metric: Metric) -> &str {
    row.metrics[&metric].reason().unwrap()
}

#[test]
fn the_widest_meter_that_holds_the_device_speaks() {
    let package = || watts("rapl_package_0_watts", "package", 40.0);
    let wall = || watts("meter_plug_mean_watts", "wall", 80.0);
    let board = || watts("nvml_0_watts", "board", 200.0);
    let at_moments = || watts("nvml_0_power_mean_watts", "board", 190.0);
    let gpu = |record: &mut Record| {
        if let Known::Value(device) = &mut record.device {
            device.kind = DeviceKind::Gpu;
        }
    };
    let cpu = row(&[metered(vec![package(), board()]).done()]);
    assert_eq!(median(&cpu, Metric::MeanWatts), 40.0);
    // 40 W for 2.1 s over 40 tokens.
    assert!((median(&cpu, Metric::JoulesPerToken) - 2.1).abs() < 1e-9);
    assert!((median(&cpu, Metric::TokensPerKwh) - 3.6e6 / 2.1).abs() < 1e-3);
    let meter = cpu.meter.value().unwrap();
    assert_eq!((&*meter.name, &*meter.scope), ("rapl_package_0", "package"));
    assert_eq!(meter.uncertainty_percent(), Some(1.25));
    assert_eq!(median(&row(&[metered(vec![package(), wall()]).done()]), Metric::MeanWatts), 80.0);
    let on_board = row(&[metered(vec![package(), board(), at_moments()]).with(gpu).done()]);
    assert_eq!(median(&on_board, Metric::MeanWatts), 200.0);
    let moments = row(&[metered(vec![at_moments()]).with(gpu).done()]);
    assert_eq!(median(&moments, Metric::MeanWatts), 190.0);
    let sockets = vec![package(), watts("rapl_package_1_watts", "package", 30.0)];
    assert_eq!(median(&row(&[metered(sockets).done()]), Metric::MeanWatts), 70.0);
    let rail = vec![watts("hwmon_zenpower_svi2_p_core_mean_watts", "package", 9.0)];
    assert!(row(&[metered(rail).done()]).meter.value().is_none(), "a rail is no package");
}

#[test]
fn what_is_not_known_is_a_reason_and_never_a_number() {
    let missing = Known::unavailable("virtual machines get no RAPL");
    let without =
        row(&[metered(vec![reading("rapl_package_0_joules", "J", "package", missing)]).done()]);
    for metric in [Metric::JoulesPerToken, Metric::MeanWatts, Metric::PeakWatts] {
        assert_eq!(reason(&without, metric), "virtual machines get no RAPL");
    }
    let boards = vec![watts("nvml_0_watts", "board", 20.0), watts("nvml_1_watts", "board", 30.0)];
    let two = metered(boards).with(|record| {
        if let Known::Value(device) = &mut record.device {
            device.kind = DeviceKind::Gpu;
        }
    });
    assert!(reason(&row(&[two.done()]), Metric::JoulesPerToken).contains("which one holds"));
    let package = || watts("rapl_package_0_watts", "package", 40.0);
    let long = metered(vec![package()]).with(|record| {
        let window = record.readings.iter_mut().find(|r| r.name == "window_seconds").unwrap();
        window.value = Known::Value(4.0);
    });
    let long = row(&[long.done()]);
    assert!(reason(&long, Metric::JoulesPerToken).contains("of the time that was metered"));
    assert!(reason(&long, Metric::PeakWatts).contains("counter"));
    assert_eq!(reason(&long, Metric::IdleWatts), "idle power is measured by --energy");
    let mixed = [
        metered(vec![package()]).done(),
        metered(vec![watts("meter_plug_mean_watts", "wall", 80.0)]).launch(1).done(),
    ];
    let mixed = row(&mixed);
    assert!(
        mixed.meter.reason().unwrap().contains("metered by rapl_package_0 and meter_plug_mean")
    );
    assert_eq!(reason(&mixed, Metric::JoulesPerToken), mixed.meter.reason().unwrap());
}

#[test]
fn idle_power_is_told_beside_where_it_stood_still() {
    let idle = |before, after| {
        let readings = vec![
            watts("meter_plug_mean_watts", "wall", 80.0),
            watts("meter_plug_max_watts", "wall", 95.0),
            watts("idle_before_meter_plug_mean_watts", "wall", before),
            watts("idle_after_meter_plug_mean_watts", "wall", after),
        ];
        row(&[metered(readings).done()])
    };
    let steady = idle(30.0, 31.0);
    assert_eq!(median(&steady, Metric::IdleWatts), 30.5);
    assert_eq!(median(&steady, Metric::PeakWatts), 95.0);
    assert_eq!(median(&steady, Metric::MeanWatts), 80.0, "nothing is taken off");
    let why = idle(30.0, 33.0);
    assert!(reason(&why, Metric::IdleWatts).contains("30.00 W before the test, 33.00 W after"));
}

#[test]
fn co2_is_there_only_where_the_user_gave_the_grids_factor() {
    let records = [metered(vec![watts("meter_plug_mean_watts", "wall", 80.0)]).done()];
    let without = row(&records);
    assert!(!without.metrics.contains_key(&Metric::Co2GramsPerMillionTokens));
    let view = View { grid: Some(400.0), ..View::default() };
    let with = view.compare(&records).rows.remove(0);
    // 4.2 J a token: 1.167 kWh a million.
    let grams = median(&with, Metric::Co2GramsPerMillionTokens);
    assert!((grams - 4.2 / 3.6 * 400.0).abs() < 1e-6, "{grams}");
}
