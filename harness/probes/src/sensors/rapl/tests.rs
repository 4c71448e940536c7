//! Zones, wraps, permission, and counters that lie, over fixture trees.

use std::path::Path;

use tempfile::TempDir;
use yardstick_record::Reading;

use super::super::sensor::{Missing, Sensor};
use super::super::tests::{find, open, over, reason, value, write};
use crate::Root;

const PACKAGE: &str = "/sys/class/powercap/intel-rapl:0/energy_uj";
const RANGE: u64 = 65_532_610_987;

fn zone(tree: &Path, folder: &str, name: &str, energy: u64) {
    let folder = format!("sys/class/powercap/{folder}");
    write(tree, &format!("{folder}/name"), &format!("{name}\n"));
    write(tree, &format!("{folder}/energy_uj"), &format!("{energy}\n"));
    write(tree, &format!("{folder}/max_energy_range_uj"), &format!("{RANGE}\n"));
}

fn machine(tree: &Path, energy: u64) {
    zone(tree, "intel-rapl:0", "package-0", energy);
    zone(tree, "intel-rapl:0:0", "core", energy / 2);
    zone(tree, "intel-rapl:0:1", "uncore", energy / 5);
    zone(tree, "intel-rapl:0:2", "dram", energy / 10);
    zone(tree, "intel-rapl:1", "psys", energy * 2);
    // The same package through other registers: counting it again would double it.
    zone(tree, "intel-rapl-mmio:0", "package-0", energy);
}

fn rapl(tree: &Path) -> Result<Box<dyn Sensor>, Missing> {
    open("rapl", &Root::new(tree))
}

/// The package's counter at given milliseconds.
fn package(reads: &[(u64, u64)]) -> Vec<Reading> {
    let tree = TempDir::new().unwrap();
    zone(tree.path(), "intel-rapl:0", "package-0", reads[0].1);
    let mut sensor = rapl(tree.path()).unwrap();
    sensor.begin(7);
    for (ms, energy) in reads {
        write(tree.path(), PACKAGE, &energy.to_string());
        sensor.sample(std::time::Duration::from_millis(*ms));
    }
    sensor.finish()
}

#[test]
fn every_zone_is_read_in_its_scope() {
    let tree = TempDir::new().unwrap();
    machine(tree.path(), 1_000_000_000);
    let mut sensor = rapl(tree.path()).unwrap();
    let mut half = || machine(tree.path(), 1_020_000_000);
    let mut end = || machine(tree.path(), 1_100_000_000);
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (900, &mut half), (1700, &mut end)]);
    assert_eq!(readings.len(), 10);
    for (zone, scope, joules) in [
        ("package_0", "package", 100.0),
        ("package_0_core", "core", 50.0),
        ("package_0_uncore", "uncore", 20.0),
        ("package_0_dram", "dram", 10.0),
        ("psys", "psys", 200.0),
    ] {
        let reading = find(&readings, &format!("rapl_{zone}_joules"));
        assert_eq!((reading.scope.as_str(), reading.unit.as_str()), (scope, "J"));
        assert!((value(&readings, &reading.name) - joules).abs() < 1e-9, "{reading:?}");
        let watts = value(&readings, &format!("rapl_{zone}_watts"));
        assert!((watts - joules / 1.7).abs() < 1e-9);
    }
}

#[test]
fn wrapping_once_and_three_times_costs_no_joule() {
    // 90 W for 0.4 s a step; the counter is set so that it wraps where told.
    let step = 36_000_000;
    for wraps in [1, 3] {
        let reads: Vec<(u64, u64)> =
            (0..=12 * wraps).map(|n| (n * 400, (RANGE - 6 * step + n * step) % RANGE)).collect();
        // A small range wraps often within the test.
        let tree = TempDir::new().unwrap();
        zone(tree.path(), "intel-rapl:0", "package-0", 0);
        let range = 4_000_000_000;
        write(tree.path(), "sys/class/powercap/intel-rapl:0/max_energy_range_uj", "4000000000");
        let mut sensor = rapl(tree.path()).unwrap();
        sensor.begin(7);
        let watts = 1900;
        let (mut seen, mut last) = (0, 0);
        for n in 0..=(wraps * 11) {
            let energy = n * watts * 200_000 % range;
            seen += u64::from(energy < last);
            last = energy;
            write(tree.path(), PACKAGE, &energy.to_string());
            sensor.sample(std::time::Duration::from_millis(n * 200));
        }
        assert_eq!(seen, wraps);
        let joules = value(&sensor.finish(), "rapl_package_0_joules");
        assert!((joules - (wraps * 11 * watts) as f64 * 0.2).abs() < 1e-6, "{joules}");
        // And once with the range of real hardware.
        let joules = value(&package(&reads), "rapl_package_0_joules");
        assert!((joules - (12 * wraps) as f64 * 36.0).abs() < 1e-6, "{joules}");
    }
}

#[test]
fn a_file_that_only_root_may_read_says_what_to_do() {
    let tree = TempDir::new().unwrap();
    machine(tree.path(), 5);
    let root = Root::new(tree.path()).denying(PACKAGE);
    let mut sensor = open("rapl", &root).unwrap();
    let mut end = || machine(tree.path(), 100_000_000);
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (900, &mut end)]);
    let why = reason(&readings, "rapl_package_0_joules");
    assert!(
        why.contains("root only") && why.contains("sudo chmod a+r /sys/class/powercap/"),
        "{why}"
    );
    assert_eq!(value(&readings, "rapl_package_0_dram_watts").round(), 11.0);
    let health = sensor.health();
    assert!(health.status.unwrap().contains("not all"));

    let zones = ["0", "0:0", "0:1", "0:2", "1"];
    let all = zones.iter().fold(Root::new(tree.path()), |root, zone| {
        root.denying(&format!("/sys/class/powercap/intel-rapl:{zone}/energy_uj"))
    });
    let missing = open("rapl", &all).unwrap().health().status.unwrap_err();
    assert!(missing.fix.unwrap().starts_with("sudo chmod a+r"));
}

#[test]
fn the_kernels_own_refusal_is_recognised() {
    use std::os::unix::fs::PermissionsExt;
    let tree = TempDir::new().unwrap();
    machine(tree.path(), 5);
    let file = tree.path().join(&PACKAGE[1..]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&file).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let mut sensor = rapl(tree.path()).unwrap();
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (900, &mut || ())]);
    assert!(reason(&readings, "rapl_package_0_joules").contains("sudo chmod a+r"));
}

#[test]
fn counters_that_lie_are_reasons_that_name_the_file() {
    for (reads, named) in [
        (vec![(0, 5), (600, 5), (1200, 5)], "stuck"),
        (vec![(0, 5), (1000, 9_000_000_005)], "jumped by 9000 J"),
        (vec![(0, 5_000_000_000), (1000, 3)], "jumped by"),
        (vec![(0, RANGE + 1), (1000, 7)], "beyond its range"),
        (vec![(0, 5), (5, 600_005)], "too short"),
        (vec![(0, 5), (90_000, 60_000_000_000)], "wrapped unseen"),
    ] {
        let readings = package(&reads);
        for name in ["rapl_package_0_joules", "rapl_package_0_watts"] {
            let why = reason(&readings, name);
            assert!(why.contains(named) && why.starts_with(PACKAGE), "{reads:?}: {why}");
        }
    }
}

#[test]
fn negative_and_text_and_vanishing_are_reasons() {
    for (text, named) in [
        (Some("-5"), "expected a whole number, found \"-5\""),
        (Some("many"), "found \"many\""),
        (None, "vanished during the test"),
    ] {
        let tree = TempDir::new().unwrap();
        machine(tree.path(), 5);
        let mut sensor = rapl(tree.path()).unwrap();
        let mut spoil = || match text {
            Some(text) => write(tree.path(), PACKAGE, text),
            None => std::fs::remove_dir_all(tree.path().join("sys/class/powercap/intel-rapl:0"))
                .unwrap(),
        };
        let readings = over(&mut *sensor, &mut [(0, &mut || ()), (1000, &mut spoil)]);
        let why = reason(&readings, "rapl_package_0_joules");
        assert!(why.contains(named), "{why}");
    }
}

#[test]
fn without_a_range_growth_is_measured_and_a_wrap_is_not() {
    let tree = TempDir::new().unwrap();
    machine(tree.path(), 900_000_000);
    std::fs::remove_file(tree.path().join("sys/class/powercap/intel-rapl:0/max_energy_range_uj"))
        .unwrap();
    let mut sensor = rapl(tree.path()).unwrap();
    let mut grown = || write(tree.path(), PACKAGE, "930000000");
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (900, &mut grown)]);
    assert_eq!(value(&readings, "rapl_package_0_joules"), 30.0);
    let mut wrapped = || write(tree.path(), PACKAGE, "7");
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (900, &mut wrapped)]);
    let why = reason(&readings, "rapl_package_0_joules");
    assert!(
        why.contains("backwards") && why.contains("max_energy_range_uj does not exist"),
        "{why}"
    );
}

#[test]
fn zones_that_a_container_hides_are_told_from_none() {
    let tree = TempDir::new().unwrap();
    std::fs::create_dir_all(tree.path().join("sys/class/powercap/intel-rapl:0")).unwrap();
    let missing = rapl(tree.path()).err().unwrap();
    assert!(missing.reason.contains("container") && missing.fix.unwrap().contains("systempaths"));
    let none = TempDir::new().unwrap();
    std::fs::create_dir_all(none.path().join("sys/class/powercap/dtpm")).unwrap();
    let missing = rapl(none.path()).err().unwrap();
    assert!(missing.reason.contains("lists no RAPL zone"), "{missing:?}");
}

#[test]
fn registers_in_memory_stand_in_where_there_are_no_others_and_two_sockets_are_two() {
    let tree = TempDir::new().unwrap();
    zone(tree.path(), "intel-rapl-mmio:0", "package-0", 5);
    zone(tree.path(), "intel-rapl-mmio:1", "package-1", 5);
    let mut sensor = rapl(tree.path()).unwrap();
    let mut end = || {
        zone(tree.path(), "intel-rapl-mmio:0", "package-0", 50_000_005);
        zone(tree.path(), "intel-rapl-mmio:1", "package-1", 70_000_005);
    };
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (900, &mut end)]);
    assert_eq!(value(&readings, "rapl_package_0_joules"), 50.0);
    assert_eq!(value(&readings, "rapl_package_1_joules"), 70.0);
}
