//! Chips and labels over fixture trees.

use std::path::Path;

use tempfile::TempDir;

use super::super::tests::{find, open, over, reason, value, write};
use crate::Root;

fn chip(tree: &Path, n: u32, name: &str, files: &[(&str, &str)]) {
    write(tree, &format!("sys/class/hwmon/hwmon{n}/name"), name);
    for (file, text) in files {
        write(tree, &format!("sys/class/hwmon/hwmon{n}/{file}"), text);
    }
}

#[test]
fn a_graphics_boards_power_and_energy_are_found_by_label() {
    let tree = TempDir::new().unwrap();
    chip(
        tree.path(),
        3,
        "amdgpu",
        &[
            ("power1_average", "200000000"),
            ("power1_label", "PPT"),
            ("temp1_input", "50000"),
            ("temp1_label", "edge"),
        ],
    );
    chip(tree.path(), 4, "amdgpu", &[("power1_input", "90000000"), ("power1_average", "80000000")]);
    chip(tree.path(), 5, "xe", &[("energy1_input", "5000000"), ("energy1_label", "card")]);
    let mut sensor = open("hwmon", &Root::new(tree.path())).unwrap();
    let mut end = || {
        chip(
            tree.path(),
            3,
            "amdgpu",
            &[("power1_average", "300000000"), ("temp1_input", "61000")],
        );
        chip(tree.path(), 5, "xe", &[("energy1_input", "45000000")]);
    };
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (800, &mut end)]);
    assert_eq!(value(&readings, "hwmon_amdgpu_ppt_mean_watts"), 250.0);
    assert_eq!(value(&readings, "hwmon_amdgpu_ppt_max_watts"), 300.0);
    assert_eq!(value(&readings, "hwmon_amdgpu_2_power1_mean_watts"), 90.0);
    assert_eq!(value(&readings, "hwmon_amdgpu_edge_max_celsius"), 61.0);
    assert_eq!(value(&readings, "hwmon_xe_card_joules"), 40.0);
    assert_eq!(value(&readings, "hwmon_xe_card_watts"), 50.0);
    assert_eq!(find(&readings, "hwmon_xe_card_joules").scope, "gpu");
}

#[test]
fn a_jetsons_rails_are_volts_times_amperes() {
    let tree = TempDir::new().unwrap();
    chip(
        tree.path(),
        1,
        "ina3221",
        &[
            ("in1_input", "19000"),
            ("in1_label", "VDD_IN"),
            ("curr1_input", "1500"),
            ("curr4_input", "9"),
            ("in4_input", "9"),
        ],
    );
    let mut sensor = open("hwmon", &Root::new(tree.path())).unwrap();
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (800, &mut || ())]);
    assert_eq!(readings.len(), 2);
    assert_eq!(value(&readings, "hwmon_ina3221_vdd_in_mean_watts"), 28.5);
    assert_eq!(readings[0].scope, "rail");
}

#[test]
fn cores_stand_behind_their_package_and_drives_do_not_count() {
    let tree = TempDir::new().unwrap();
    chip(
        tree.path(),
        0,
        "coretemp",
        &[
            ("temp1_input", "50000"),
            ("temp1_label", "Package id 0"),
            ("temp2_input", "49000"),
            ("temp2_label", "Core 0"),
        ],
    );
    chip(tree.path(), 1, "nvme", &[("temp1_input", "40000")]);
    chip(tree.path(), 2, "iwlwifi_1", &[("temp1_input", "40000")]);
    let mut sensor = open("hwmon", &Root::new(tree.path())).unwrap();
    let readings = over(&mut *sensor, &mut [(0, &mut || ())]);
    let names: Vec<&str> = readings.iter().map(|reading| reading.name.as_str()).collect();
    assert_eq!(
        names,
        ["hwmon_coretemp_package_id_0_start_celsius", "hwmon_coretemp_package_id_0_max_celsius"]
    );
}

#[test]
fn zero_watts_nonsense_and_wraps_are_reasons() {
    let tree = TempDir::new().unwrap();
    chip(
        tree.path(),
        0,
        "amdgpu",
        &[
            ("power1_input", "0"),
            ("power2_input", "40000000"),
            ("power3_input", "40000000"),
            ("energy1_input", "5000000"),
        ],
    );
    let mut sensor = open("hwmon", &Root::new(tree.path())).unwrap();
    let mut end = || {
        chip(tree.path(), 0, "amdgpu", &[("power2_input", "-3"), ("energy1_input", "5")]);
        std::fs::remove_file(tree.path().join("sys/class/hwmon/hwmon0/power3_input")).unwrap();
    };
    let readings = over(&mut *sensor, &mut [(0, &mut || ()), (800, &mut end)]);
    for (name, named) in [
        ("hwmon_amdgpu_power1_mean_watts", "stuck"),
        ("hwmon_amdgpu_power2_mean_watts", "nonsense"),
        ("hwmon_amdgpu_power3_mean_watts", "vanished"),
        ("hwmon_amdgpu_energy1_joules", "backwards"),
    ] {
        assert!(reason(&readings, name).contains(named), "{name}: {readings:#?}");
    }
}

#[test]
fn chips_without_anything_to_read_are_missing_with_a_fix() {
    let tree = TempDir::new().unwrap();
    chip(tree.path(), 0, "nct6775", &[("fan1_input", "900")]);
    let missing = open("hwmon", &Root::new(tree.path())).err().unwrap();
    assert!(missing.reason.contains("none of the 1 chips"), "{missing:?}");
    assert!(missing.fix.unwrap().contains("sensors-detect"));
}
