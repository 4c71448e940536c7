//! External meters against the truth, and every way in which one can misbehave.

use std::time::Duration;

use yardstick_record::Precision;

use super::line::Point;
use super::series::Series;
use super::*;

/// Numbers from 0 to 1.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// 200 W for a quarter of each period, else 50 W.
fn load(t: f64, period: f64) -> f64 {
    if (t / period).fract() < 0.25 { 200.0 } else { 50.0 }
}

/// Its integral from 0.
fn truth(t: f64, period: f64) -> f64 {
    let whole = (t / period).floor();
    50.0 * t + 150.0 * (whole * period * 0.25 + (t - whole * period).min(period * 0.25))
}

const EPOCH: f64 = 1.7e9;

/// A meter that reads `rate` times a second with jitter, at moments or as the mean since its last line.
fn simulated(run: u64, rate: f64, seconds: f64, means: bool) -> (Learnt<Power>, f64) {
    let mut seed = run + 1;
    let period = 0.05 + 2.0 * random(&mut seed);
    let from = 10.0 + random(&mut seed);
    let (mut series, mut t, mut last) = (Series::default(), 0.0, 0.0);
    while t < from + seconds + 5.0 {
        t += (0.9 + 0.2 * random(&mut seed)) / rate;
        let mean = (truth(t, period) - truth(last, period)) / (t - last);
        let watts = if means { mean } else { load(t, period) };
        series.push(Point { at: EPOCH + t, watts }).unwrap();
        last = t;
    }
    let drawn = truth(from + seconds, period) - truth(from, period);
    (series.over(EPOCH + from, EPOCH + from + seconds), drawn)
}

#[test]
fn the_truth_is_inside_the_stated_uncertainty_in_183_of_200_runs() {
    for (rate, seconds, means) in [(1.0, 60.0, false), (1.0, 60.0, true), (10.0, 20.0, false)] {
        let (mut inside, mut worst, mut widest) = (0, 0.0_f64, 0.0_f64);
        for run in 0..200 {
            let (power, truth) = simulated(run, rate, seconds, means);
            let power = power.unwrap();
            inside += usize::from((power.joules - truth).abs() <= power.precision.uncertainty);
            worst = worst.max((power.joules / truth - 1.0).abs());
            widest = widest.max(power.precision.uncertainty / truth);
        }
        println!(
            "{rate} Hz, means {means}: {inside} of 200 inside, worst error {:.2} %, widest stated {:.2} %",
            worst * 100.0,
            widest * 100.0
        );
        assert!(inside >= 183, "{rate} Hz, means {means}: {inside}");
    }
}

#[test]
fn a_constant_power_is_integrated_to_the_ends_of_the_window() {
    let mut series = Series::default();
    for n in 0..100 {
        let watts = if n % 2 == 0 { 99.0 } else { 101.0 };
        series.push(Point { at: EPOCH + f64::from(n), watts }).unwrap();
    }
    let power = series.over(EPOCH + 20.5, EPOCH + 60.5).unwrap();
    assert!((power.joules - 4000.0).abs() < 2.0, "{power:?}");
    assert!((power.watts - 100.0).abs() < 0.1 && power.most == 101.0, "{power:?}");
    let Precision { rate_hz, coverage, uncertainty } = power.precision;
    assert!((rate_hz - 1.0).abs() < 1e-9 && coverage == 1.0, "{power:?}");
    assert!(uncertainty > 1.0 && uncertainty < 20.0, "{uncertainty}");
    assert!((power.of_watts().uncertainty - uncertainty / 40.0).abs() < 1e-9);
}

#[test]
fn what_does_not_cover_the_window_is_a_reason() {
    let series = |times: &[f64]| {
        let mut series = Series::default();
        for (n, at) in times.iter().enumerate() {
            series.push(Point { at: EPOCH + at, watts: 50.0 + n as f64 }).unwrap();
        }
        series
    };
    let every: Vec<f64> = (0..60).map(f64::from).collect();
    let gap: Vec<f64> = every.iter().copied().filter(|at| !(20.0..35.0).contains(at)).collect();
    for (times, from, to, named) in [
        (&every, 100.0, 150.0, "ends 41.0 s before the test"),
        (&every, -90.0, -50.0, "begins 50.0 s after the test"),
        (&every, 20.0, 30.0, "too short: 11 values in 10.0 s"),
        (&every, 30.0, 90.0, "silent for 30.0 s of 60.0 s"),
        (&gap, 0.0, 59.0, "silent for 15.0 s of 59.0 s"),
    ] {
        let why = series(times).over(EPOCH + from, EPOCH + to).unwrap_err();
        assert!(why.contains(named), "{why}");
    }
}

fn spec(source: MeterSource, offset: f64) -> MeterSpec {
    MeterSpec { name: "plug".into(), source, offset }
}

/// The example meter, a hundred lines a second.
fn example(fault: &str, after: f64) -> MeterSpec {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/meter.py");
    let words = ["python3", script, "0.01", fault, &after.to_string()].map(str::to_owned);
    spec(MeterSource::Program(words.to_vec()), 0.0)
}

/// What a probe over 1.5 s reads, 0.5 s after the program began.
fn measured(meters: &Meters) -> Vec<Reading> {
    let mut probe = meters.probe();
    std::thread::sleep(Duration::from_millis(500));
    probe.start(1).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    probe.stop().unwrap()
}

fn reading<'a>(readings: &'a [Reading], name: &str) -> &'a Reading {
    readings.iter().find(|reading| reading.name == name).unwrap()
}

#[test]
#[cfg_attr(not(unix), ignore = "python3 goes by another name")]
fn a_program_is_measured_over_the_window_and_ended_with_the_run() {
    let meters = Meters::open(&[example("", 0.0)]).unwrap();
    let readings = measured(&meters);
    let joules = reading(&readings, "meter_plug_joules");
    let seconds = *reading(&readings, "window_seconds").value.value().unwrap();
    assert!(seconds >= 1.5, "{seconds}");
    let value = *joules.value.value().unwrap_or_else(|| panic!("{joules:?}"));
    let precision = joules.precision.unwrap();
    assert!((value - 87.5 * seconds).abs() <= 1.5 * precision.uncertainty, "{joules:?}");
    assert!(precision.rate_hz > 10.0 && precision.coverage > 0.95, "{precision:?}");
    assert_eq!(joules.scope, "wall");
    assert!(reading(&readings, "meter_plug_mean_watts").precision.is_some());
    let most = reading(&readings, "meter_plug_max_watts").value.value().copied();
    assert!(most.is_some_and(|most| (199.0..=201.0).contains(&most)), "{most:?}");
}

#[test]
#[cfg_attr(not(unix), ignore = "python3 goes by another name")]
fn a_meter_that_goes_wrong_during_a_test_is_null_with_the_reason() {
    // All at once: each takes seconds.
    let faults = [
        ("dies", "ended during the test: exit status: 1: the plug went away"),
        ("silent", "silent for"),
        ("backwards", "its clock does not go on"),
        ("nan", "found \"1"),
        ("implausible", "expected 0 to 20000 watts after the comma"),
        ("format", "expected timestamp,watts, found \"{\\\"power\\\": 54}\""),
        ("milliseconds", "not milliseconds"),
        ("skewed", "3600 s behind this machine's; move it by --meter-offset"),
        ("flood", "longer than 4096 bytes"),
    ];
    let tests = faults.map(|(fault, named)| {
        std::thread::spawn(move || {
            let meters = Meters::open(&[example(fault, 1.0)]).unwrap();
            let readings = measured(&meters);
            for name in ["meter_plug_joules", "meter_plug_mean_watts", "meter_plug_max_watts"] {
                let reading = reading(&readings, name);
                let why = reading.value.reason().unwrap_or_else(|| panic!("{fault}: {reading:?}"));
                assert!(why.contains(named), "{fault}: {why}");
            }
            assert!(reading(&readings, "window_seconds").value.value().is_some());
        })
    });
    tests.into_iter().for_each(|test| test.join().unwrap());
}

#[test]
#[cfg_attr(not(unix), ignore = "python3 goes by another name")]
fn a_meter_that_is_wrong_from_the_start_is_refused_before_anything_is_measured() {
    for (fault, named) in [
        ("dies", "it told nothing: exit status: 1: the plug went away"),
        ("format", "line 1: expected timestamp,watts"),
        ("nan", "0 to 20000 watts"),
    ] {
        let error = Meters::open(&[example(fault, 0.0)]).err().unwrap().to_string();
        assert!(error.starts_with("meter plug: ") && error.contains(named), "{error}");
    }
    let nothing = MeterSource::Program(vec!["/nonexistent/meter".into()]);
    let error = Meters::open(&[spec(nothing, 0.0)]).err().unwrap().to_string();
    assert!(error.contains("/nonexistent/meter cannot be started"), "{error}");
    // A constant is a value until it is one for a whole test.
    let stuck = measured(&Meters::open(&[example("stuck", 0.0)]).unwrap());
    let why = reading(&stuck, "meter_plug_joules").value.reason().unwrap();
    assert!(why.contains("stuck") && why.contains("all 54 W"), "{why}");
}

#[test]
#[cfg_attr(not(unix), ignore = "sh")]
fn property_lists_of_powermetrics_are_of_the_chip() {
    let list = "<?xml version=\"1.0\"?>\\n<plist><dict><key>combined_power</key><real>$w</real></dict>\\n</plist>\\n\\000";
    let script = format!(
        "w=8000; while :; do w=$((w + 1)); printf \"{}\"; sleep 0.02; done",
        list.replace('"', "\\\"")
    );
    let words = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let readings = measured(&Meters::open(&[spec(MeterSource::Program(words), 0.0)]).unwrap());
    let watts = reading(&readings, "meter_plug_mean_watts");
    assert!(watts.value.value().is_some_and(|watts| (8.0..9.0).contains(watts)), "{watts:?}");
    assert!(watts.scope == "soc" && watts.source.contains("powermetrics"), "{watts:?}");
}

#[test]
fn a_recording_is_laid_over_the_window_with_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plug.csv");
    let now = window::unix_now();
    // The plug's clock is an hour behind.
    let lines: String = (0..400)
        .map(|n| format!("{:.3},{}\n", now - 3600.0 - 1.0 + f64::from(n) * 0.02, 50 + n % 3))
        .collect();
    std::fs::write(&path, format!("timestamp,watts\n{lines}17000")).unwrap();
    let recording = || MeterSource::Recording(path.clone());
    let readings = measured(&Meters::open(&[spec(recording(), 3600.0)]).unwrap());
    let watts = reading(&readings, "meter_plug_mean_watts");
    assert!((watts.value.value().unwrap() - 51.0).abs() < 0.1, "{watts:?}");
    assert!(watts.source.contains("clock moved by 3600 s"), "{watts:?}");
    let readings = measured(&Meters::open(&[spec(recording(), 0.0)]).unwrap());
    let why = reading(&readings, "meter_plug_joules").value.reason().unwrap();
    assert!(why.contains("before the test") && why.contains("--meter-offset"), "{why}");
    std::fs::write(&path, "1700000000,50\n1699999999,50\n").unwrap();
    let error = Meters::open(&[spec(recording(), 0.0)]).err().unwrap().to_string();
    assert!(error.contains("plug.csv: line 2: its clock does not go on: 1.000 s back"), "{error}");
}
