//! Sensors over fixture trees, and the thread that reads them.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use yardstick_record::Reading;

use super::sensor::{Missing, Sensor, TABLE};
use super::{Sensors, checkup};
use crate::{Error, Probe, Root};

pub(super) fn write(tree: &Path, path: &str, text: &str) {
    let path = tree.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(super) fn open(name: &str, root: &Root) -> Result<Box<dyn Sensor>, Missing> {
    let entry = TABLE.iter().find(|entry| entry.name == name).unwrap();
    (entry.open)(root)
}

/// A sensor over reads at given milliseconds, each preceded by a change to the tree.
pub(super) fn over(sensor: &mut dyn Sensor, reads: &mut [(u64, &mut dyn FnMut())]) -> Vec<Reading> {
    sensor.begin(7);
    for (ms, change) in reads {
        change();
        sensor.sample(Duration::from_millis(*ms));
    }
    sensor.finish()
}

pub(super) fn value(readings: &[Reading], name: &str) -> f64 {
    let reading = find(readings, name);
    *reading.value.value().unwrap_or_else(|| panic!("{reading:?}"))
}

pub(super) fn reason<'a>(readings: &'a [Reading], name: &str) -> &'a str {
    find(readings, name).value.reason().unwrap_or_else(|| panic!("{name} has a value"))
}

pub(super) fn find<'a>(readings: &'a [Reading], name: &str) -> &'a Reading {
    let found = readings.iter().find(|reading| reading.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {readings:#?}"))
}

const CPUS: &str = "sys/devices/system/cpu";

fn cpu(tree: &Path, n: u32, file: &str, text: &str) {
    write(tree, &format!("{CPUS}/cpu{n}/topology/core_id"), "0\n");
    write(tree, &format!("{CPUS}/cpu{n}/{file}"), text);
}

#[test]
fn what_is_missing_is_one_reading_each_with_a_reason_and_no_thread() {
    let tree = TempDir::new().unwrap();
    let mut sensors = Sensors::new(&Root::new(tree.path()));
    sensors.start(7).unwrap();
    let readings = sensors.stop().unwrap();
    let names: Vec<&str> = readings.iter().map(|reading| reading.name.as_str()).collect();
    let expected: Vec<&str> = TABLE.iter().map(|entry| entry.absent.0).collect();
    assert_eq!(names, expected);
    for reading in &readings {
        let reason = reading.value.reason().unwrap();
        assert!(!reason.contains(tree.path().to_str().unwrap()), "{reason}");
    }
    assert_eq!(sensors.stop(), Err(Error::NotStarted { probe: "sensors" }));
}

#[test]
fn a_virtual_machine_is_told_where_to_go() {
    let tree = TempDir::new().unwrap();
    write(tree.path(), "proc/cpuinfo", "processor : 0\nflags : fpu hypervisor avx2\n");
    cpu(tree.path(), 0, "online", "1");
    let checkup = checkup(&Root::new(tree.path()));
    for name in ["rapl", "thermal", "cpufreq", "throttle"] {
        let sensor = checkup.sensors.iter().find(|sensor| sensor.name == name).unwrap();
        assert!(sensor.status.reason().unwrap().contains("virtual machine"), "{sensor:?}");
        assert!(sensor.fix.as_ref().unwrap().contains("not virtual"), "{sensor:?}");
    }
    let energy = &checkup.gaps[0];
    assert_eq!(energy.quantity, "energy of the processor");
    assert!(energy.reason.starts_with("rapl: ") && energy.how.contains("host"), "{energy:?}");
    assert_eq!(checkup.gaps.len(), 6, "{:?}", checkup.gaps);
}

#[test]
fn what_a_sensor_tells_is_no_gap() {
    let tree = TempDir::new().unwrap();
    write(tree.path(), "sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
    write(tree.path(), "sys/class/thermal/thermal_zone0/temp", "45000\n");
    let checkup = checkup(&Root::new(tree.path()));
    assert!(checkup.gaps.iter().all(|gap| gap.quantity != "temperature"), "{:?}", checkup.gaps);
    let thermal = checkup.sensors.iter().find(|sensor| sensor.name == "thermal").unwrap();
    assert_eq!(thermal.status.value().unwrap(), "x86_pkg_temp 45 °C");
}

#[test]
fn the_thread_reads_between_the_ends_and_tells_what_it_cost() {
    let tree = TempDir::new().unwrap();
    write(tree.path(), "sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
    write(tree.path(), "sys/class/thermal/thermal_zone0/temp", "45000\n");
    let mut sensors = Sensors::new(&Root::new(tree.path()));
    for _ in 0..2 {
        sensors.start(7).unwrap();
        std::thread::sleep(Duration::from_millis(700));
        let readings = sensors.stop().unwrap();
        let reads = value(&readings, "sensor_reads");
        assert!((3.0..=5.0).contains(&reads), "{reads}");
        assert!(value(&readings, "sensor_window_seconds") >= 0.7);
        if cfg!(unix) {
            assert!(value(&readings, "sensor_cost_percent") < 5.0);
        }
        assert_eq!(value(&readings, "thermal_x86_pkg_temp_max_celsius"), 45.0);
    }
}

#[test]
fn dropping_a_started_probe_ends_its_thread() {
    let tree = TempDir::new().unwrap();
    cpu(tree.path(), 0, "cpufreq/scaling_cur_freq", "2000000");
    let mut sensors = Sensors::new(&Root::new(tree.path()));
    sensors.start(7).unwrap();
    sensors.start(8).unwrap();
    drop(sensors);
}

#[test]
fn zones_of_one_kind_are_told_apart_and_vanishing_ones_are_a_reason() {
    let tree = TempDir::new().unwrap();
    for (n, kind) in ["cpu-thermal", "cpu-thermal", "gpu"].iter().enumerate() {
        write(tree.path(), &format!("sys/class/thermal/thermal_zone{n}/type"), kind);
        write(tree.path(), &format!("sys/class/thermal/thermal_zone{n}/temp"), "40000");
    }
    let mut thermal = open("thermal", &Root::new(tree.path())).unwrap();
    let mut heat = || {
        write(tree.path(), "sys/class/thermal/thermal_zone0/temp", "71500");
        write(tree.path(), "sys/class/thermal/thermal_zone1/temp", "-274000");
        std::fs::remove_file(tree.path().join("sys/class/thermal/thermal_zone2/temp")).unwrap();
    };
    let readings = over(&mut *thermal, &mut [(0, &mut || ()), (500, &mut heat)]);
    assert_eq!(value(&readings, "thermal_cpu_thermal_start_celsius"), 40.0);
    assert_eq!(value(&readings, "thermal_cpu_thermal_max_celsius"), 71.5);
    assert!(reason(&readings, "thermal_cpu_thermal_2_max_celsius").contains("nonsense"));
    assert!(reason(&readings, "thermal_gpu_max_celsius").contains("vanished during the test"));
}

#[test]
fn clocks_are_over_all_cpus_and_reads_with_the_governor_beside_them() {
    let tree = TempDir::new().unwrap();
    let set = |clocks: [&str; 2]| {
        for (n, clock) in clocks.iter().enumerate() {
            cpu(tree.path(), n as u32, "cpufreq/scaling_cur_freq", clock);
            cpu(tree.path(), n as u32, "cpufreq/scaling_governor", "powersave\n");
        }
    };
    set(["4000000", "800000"]);
    let mut clock = open("cpufreq", &Root::new(tree.path())).unwrap();
    let readings =
        over(&mut *clock, &mut [(0, &mut || ()), (1000, &mut || set(["3000000", "1800000"]))]);
    assert_eq!(value(&readings, "cpu_clock_mean_mhz"), 2400.0);
    assert_eq!(value(&readings, "cpu_clock_min_mhz"), 800.0);
    assert_eq!(value(&readings, "cpu_clock_max_mhz"), 4000.0);
    assert_eq!(value(&readings, "cpu_clock_fastest_min_mhz"), 3000.0);
    assert!(find(&readings, "cpu_clock_mean_mhz").source.ends_with("2 CPUs, governor powersave"));

    for (text, named) in [
        ("<unknown>", "whole number"),
        ("0", "nonsense"),
        ("99000000000", "nonsense"),
        ("", "empty"),
    ] {
        set(["4000000", "800000"]);
        let mut spoil = || cpu(tree.path(), 1, "cpufreq/scaling_cur_freq", text);
        let readings = over(&mut *clock, &mut [(0, &mut || ()), (1000, &mut spoil)]);
        let why = reason(&readings, "cpu_clock_mean_mhz");
        assert!(why.contains(named), "{text}: {why}");
        // A CPU that seems the fastest of all spoils that figure too.
        let fastest = find(&readings, "cpu_clock_fastest_min_mhz").value.value().copied();
        assert_eq!(fastest, (!text.starts_with("99")).then_some(4000.0), "{text}");
    }
}

#[test]
fn a_governor_that_changes_is_told() {
    let tree = TempDir::new().unwrap();
    cpu(tree.path(), 0, "cpufreq/scaling_cur_freq", "2000000");
    cpu(tree.path(), 0, "cpufreq/scaling_governor", "performance");
    let mut clock = open("cpufreq", &Root::new(tree.path())).unwrap();
    let mut change = || cpu(tree.path(), 0, "cpufreq/scaling_governor", "powersave");
    let readings = over(&mut *clock, &mut [(0, &mut || ()), (1000, &mut change)]);
    let source = &find(&readings, "cpu_clock_mean_mhz").source;
    assert!(source.ends_with("performance, then powersave"), "{source}");
}

#[test]
fn throttling_counts_the_cpu_with_the_most_and_0_is_an_answer() {
    let tree = TempDir::new().unwrap();
    let set = |counts: [(u64, u64); 2]| {
        for (n, (core, package)) in counts.iter().enumerate() {
            let put = |file: &str, count: u64| {
                cpu(tree.path(), n as u32, &format!("thermal_throttle/{file}"), &count.to_string());
            };
            put("core_throttle_count", *core);
            put("package_throttle_count", *package);
            put("core_throttle_total_time_ms", core * 3);
            put("package_throttle_total_time_ms", package * 3);
        }
    };
    set([(5, 10), (0, 10)]);
    let mut throttle = open("throttle", &Root::new(tree.path())).unwrap();
    let readings = over(&mut *throttle, &mut [(0, &mut || ())]);
    assert_eq!(value(&readings, "cpu_throttle_events"), 0.0);
    let mut more = || set([(5, 17), (2, 17)]);
    let readings = over(&mut *throttle, &mut [(0, &mut || ()), (9, &mut more)]);
    assert_eq!(value(&readings, "cpu_throttle_events"), 7.0);
    assert_eq!(value(&readings, "cpu_throttle_ms"), 21.0);
    let mut less = || set([(5, 10), (0, 10)]);
    let readings = over(&mut *throttle, &mut [(0, &mut || ()), (9, &mut less)]);
    assert!(reason(&readings, "cpu_throttle_events").contains("backwards"));
}

#[test]
#[cfg_attr(not(unix), ignore = "names with colons")]
fn garbage_in_any_file_never_panics_and_is_never_0() {
    let huge = "9".repeat(400);
    let garbage = ["", "\0\0", "-1", "nan", "0x10", "1e3", huge.as_str(), "18446744073709551615"];
    let files = [
        "sys/class/thermal/thermal_zone0/temp",
        "sys/class/hwmon/hwmon0/power1_input",
        "sys/class/hwmon/hwmon0/energy1_input",
        "sys/class/hwmon/hwmon0/temp1_input",
        "sys/class/powercap/intel-rapl:0/energy_uj",
        "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
    ];
    for text in garbage {
        let tree = TempDir::new().unwrap();
        write(tree.path(), "sys/class/thermal/thermal_zone0/type", "cpu");
        write(tree.path(), "sys/class/hwmon/hwmon0/name", "amdgpu");
        write(tree.path(), "sys/class/powercap/intel-rapl:0/name", "package-0");
        cpu(tree.path(), 0, "online", "1");
        for file in files {
            write(tree.path(), file, text);
        }
        for name in ["rapl", "hwmon", "thermal", "cpufreq", "throttle"] {
            let mut sensor = open(name, &Root::new(tree.path())).unwrap();
            sensor.health();
            let readings = over(&mut *sensor, &mut [(0, &mut || ()), (2000, &mut || ())]);
            let known: Vec<_> = readings.iter().filter(|r| r.value.value().is_some()).collect();
            // -1 millidegree is a temperature, and an event count of any size stands still.
            let possible = |r: &&&Reading| text == "-1" && r.unit == "°C" || r.unit == "events";
            assert_eq!(known.iter().filter(|r| !possible(r)).count(), 0, "{text:?}: {known:#?}");
        }
    }
}
