//! The probes over fixture trees, and over this process where there is a `/proc`.

use std::path::Path;

use tempfile::TempDir;
use yardstick_record::Reading;

use crate::{Error, Root, all, meters};

/// The readings that the meters of a process give, in order.
const NAMES: &[&str] = &[
    "peak_rss_bytes",
    "rss_bytes",
    "rss_anonymous_bytes",
    "rss_file_bytes",
    "pss_bytes",
    "cpu_user_ns",
    "cpu_system_ns",
    "context_switches_voluntary",
    "context_switches_involuntary",
    "major_faults",
    "minor_faults",
    "steal_percent",
    "foreign_cpu_percent",
];

fn write(tree: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = tree.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn stat(minor: u64, major: u64, user: u64, system: u64, started: u64) -> String {
    format!("7 (w x) S 1 2 3 4 5 6 {minor} 0 {major} 0 {user} {system} 0 0 20 0 1 0 {started} 0")
}

/// Process 7 and its machine at one instant.
fn instant(tree: &Path, stat: &str, switches: [(u64, u64); 2], cpu: &str) {
    write(tree, "proc/7/stat", stat);
    write(tree, "proc/stat", cpu);
    for (tid, (voluntary, involuntary)) in switches.iter().enumerate() {
        let text = format!(
            "voluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n"
        );
        write(tree, &format!("proc/7/task/{}/status", 7 + tid), text);
    }
}

fn first_instant(tree: &Path) {
    let status =
        "Name:\tw\nVmHWM:\t 2048 kB\nVmRSS:\t 1024 kB\nRssAnon:\t 24 kB\nRssFile:\t 1000 kB\n";
    write(tree, "proc/7/status", status);
    write(tree, "proc/7/smaps_rollup", "00400000-7ff [rollup]\nRss: 1024 kB\nPss:  512 kB\n");
    write(tree, "proc/7/clear_refs", "");
    instant(tree, &stat(10, 1, 100, 10, 5), [(1, 2), (3, 4)], "cpu  1000 0 0 5000 0 0 0 0 0 0\n");
}

fn second_instant(tree: &Path) {
    instant(tree, &stat(30, 2, 140, 20, 5), [(11, 2), (3, 5)], "cpu  1100 0 0 5080 0 0 0 20 0 0\n");
}

fn measure(tree: &Path, between: impl FnOnce()) -> Vec<Reading> {
    let mut probes = meters(&Root::new(tree));
    for probe in &mut probes {
        probe.start(7).unwrap();
    }
    between();
    probes.iter_mut().flat_map(|probe| probe.stop().unwrap()).collect()
}

fn reading<'a>(readings: &'a [Reading], name: &str) -> &'a Reading {
    readings.iter().find(|reading| reading.name == name).unwrap()
}

fn reason<'a>(readings: &'a [Reading], name: &str) -> &'a str {
    reading(readings, name).value.reason().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn every_reading_is_what_the_files_say() {
    let tree = TempDir::new().unwrap();
    first_instant(tree.path());
    let readings = measure(tree.path(), || second_instant(tree.path()));
    let tick = 1e9 / crate::process_stat::ticks_per_second() as f64;
    let values: Vec<_> =
        readings.iter().map(|r| (r.name.as_str(), *r.value.value().unwrap())).collect();
    let kib = 1024.0;
    let expected = [
        2048.0 * kib,
        1024.0 * kib,
        24.0 * kib,
        1000.0 * kib,
        512.0 * kib,
        40.0 * tick,
        10.0 * tick,
        10.0,
        1.0,
        1.0,
        20.0,
        10.0,
        25.0,
    ];
    let expected: Vec<_> = NAMES.iter().copied().zip(expected).collect();
    assert_eq!(values, expected);
    assert_eq!(std::fs::read_to_string(tree.path().join("proc/7/clear_refs")).unwrap(), "5");
    assert_eq!(reading(&readings, "peak_rss_bytes").scope, "test");
}

#[test]
fn without_permission_to_reset_the_peak_is_the_workers() {
    let tree = TempDir::new().unwrap();
    first_instant(tree.path());
    std::fs::remove_file(tree.path().join("proc/7/clear_refs")).unwrap();
    let readings = measure(tree.path(), || second_instant(tree.path()));
    assert_eq!(reading(&readings, "peak_rss_bytes").scope, "worker");
    assert!(reading(&readings, "peak_rss_bytes").value.value().is_some());
}

#[test]
fn an_absent_proc_gives_every_reading_a_reason_that_names_no_fixture() {
    let tree = TempDir::new().unwrap();
    let readings = measure(tree.path(), || ());
    let names: Vec<_> = readings.iter().map(|reading| reading.name.as_str()).collect();
    assert_eq!(names, NAMES);
    for reading in readings.iter().filter(|r| cfg!(target_os = "linux") || r.name != "rss_bytes") {
        let reason = reading.value.reason().unwrap();
        assert!(reason.contains("/proc/"), "{}: {reason}", reading.name);
        assert!(!reason.contains(tree.path().to_str().unwrap()), "{reason}");
    }
}

#[test]
fn a_process_that_vanishes_leaves_the_machines_readings() {
    let tree = TempDir::new().unwrap();
    first_instant(tree.path());
    let readings = measure(tree.path(), || {
        second_instant(tree.path());
        std::fs::remove_dir_all(tree.path().join("proc/7")).unwrap();
    });
    for reading in &readings {
        assert_eq!(reading.value.value().is_some(), reading.name == "steal_percent", "{reading:?}");
    }
}

#[test]
fn another_process_with_the_same_id_is_not_measured() {
    let tree = TempDir::new().unwrap();
    first_instant(tree.path());
    let readings = measure(tree.path(), || {
        second_instant(tree.path());
        write(tree.path(), "proc/7/stat", stat(30, 2, 140, 20, 6));
    });
    for name in ["cpu_user_ns", "major_faults", "foreign_cpu_percent"] {
        assert!(reason(&readings, name).contains("another process"), "{name}");
    }
}

#[test]
fn a_thread_that_ended_makes_the_switches_unknown() {
    let tree = TempDir::new().unwrap();
    first_instant(tree.path());
    let readings = measure(tree.path(), || {
        second_instant(tree.path());
        std::fs::remove_dir_all(tree.path().join("proc/7/task/8")).unwrap();
    });
    assert!(reason(&readings, "context_switches_voluntary").contains("1 of 2 threads ended"));
}

#[test]
fn counters_that_step_back_are_a_reason() {
    let tree = TempDir::new().unwrap();
    second_instant(tree.path());
    let readings = measure(tree.path(), || first_instant(tree.path()));
    for name in ["cpu_user_ns", "minor_faults", "context_switches_voluntary", "steal_percent"] {
        assert!(reason(&readings, name).contains("backwards"), "{name}");
    }
}

#[test]
fn garbage_in_any_file_never_panics() {
    let huge = "9".repeat(400);
    let garbage: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\0\0\0".to_vec(),
        vec![0xFF; 5000],
        b"VmHWM: -1 kB\nPss: kB".to_vec(),
        format!("VmHWM: {0} kB\nVmRSS: {0} kB\nPss: {0} kB\ncpu  {0} {0}", u64::MAX).into_bytes(),
        format!("7 (x) S {huge} {huge}").into_bytes(),
        format!("cpu {huge} 1 1 1 1 1 1 1\nvoluntary_ctxt_switches: {huge}").into_bytes(),
        b"voluntary_ctxt_switches".to_vec(),
    ];
    let files =
        ["7/status", "7/smaps_rollup", "7/stat", "7/task/7/status", "7/task/8/status", "stat"];
    for (bytes, file) in garbage.iter().flat_map(|bytes| files.map(|file| (bytes, file))) {
        for late in [false, true] {
            let tree = TempDir::new().unwrap();
            first_instant(tree.path());
            let spoil = || write(tree.path(), &format!("proc/{file}"), bytes);
            if !late {
                spoil();
            }
            let readings = measure(tree.path(), || {
                second_instant(tree.path());
                spoil();
            });
            assert_eq!(readings.len(), NAMES.len());
            let text = serde_json::to_string(&readings).unwrap();
            assert!(!text.contains("null"), "{text}");
        }
    }
}

#[test]
fn stopping_before_starting_is_an_error() {
    for mut probe in all() {
        assert!(matches!(probe.stop(), Err(Error::NotStarted { .. })), "{}", probe.name());
        probe.start(std::process::id()).unwrap();
        assert!(probe.stop().is_ok());
        assert!(probe.stop().is_err(), "{} can be stopped twice", probe.name());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn this_process_is_measured() {
    let mut probes = all();
    let pid = std::process::id();
    probes.iter_mut().for_each(|probe| probe.start(pid).unwrap());
    let spent = burn_cpu();
    let readings: Vec<_> = probes.iter_mut().flat_map(|probe| probe.stop().unwrap()).collect();
    let value = |name: &str| reading(&readings, name).value.value().copied();
    for name in ["peak_rss_bytes", "rss_bytes", "rss_anonymous_bytes"] {
        assert!(value(name).unwrap() > 100_000.0, "{name}");
    }
    let cpu = value("cpu_user_ns").unwrap() + value("cpu_system_ns").unwrap();
    assert!(cpu >= 100e6, "{cpu} ns of CPU time after {spent} iterations");
}

/// Uses 150 ms of CPU time, however long that takes.
#[cfg(target_os = "linux")]
fn burn_cpu() -> u64 {
    let now = || {
        let stat = crate::process_stat::ProcessStat::read(&Root::default(), std::process::id());
        let stat = stat.unwrap();
        crate::process_stat::ticks_to_ns(stat.user + stat.system)
    };
    let start = now();
    let mut sum = 0_u64;
    while now() - start < 150e6 {
        sum = (0..100_000_u64).fold(sum, |sum, i| std::hint::black_box(sum.wrapping_add(i)));
    }
    sum
}
