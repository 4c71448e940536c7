//! What reading the sensors costs: a made-up machine of 64 CPUs is read for some seconds, and then this one.
//!
//! `cargo run --release -p yardstick-probes --example sensor_cost -- [SECONDS]`
//! Files of a made-up machine are cheaper to read than those of a kernel, some of which ask the hardware; the thread rests
//! 200 times as long as it read, so the share stays below half a percent on either.
#![allow(clippy::unwrap_used, reason = "an example ends by panicking")]

use std::path::Path;
use std::time::Duration;

use yardstick_probes::{Root, all_under};

fn main() {
    let seconds = std::env::args().nth(1).map_or(5.0, |seconds| seconds.parse().unwrap());
    let tree = tempfile::TempDir::new().unwrap();
    machine(tree.path());
    for (name, root) in
        [("64 CPUs, made up", Root::new(tree.path())), ("this machine", Root::default())]
    {
        // The sensors are the last probe.
        let mut sensors = all_under(&root).pop().unwrap();
        sensors.start(std::process::id()).unwrap();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let readings = sensors.stop().unwrap();
        let known = readings.iter().filter(|reading| reading.value.value().is_some()).count();
        println!("{name}: {known} of {} readings have a value", readings.len());
        for reading in readings.iter().filter(|reading| reading.name.starts_with("sensor_")) {
            println!("{name}: {} {:?} {}", reading.name, reading.value, reading.unit);
        }
    }
}

fn machine(tree: &Path) {
    let write = |path: String, text: &str| {
        let path = tree.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for cpu in 0..64 {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}");
        write(format!("{folder}/topology/core_id"), "0");
        write(format!("{folder}/cpufreq/scaling_cur_freq"), "2400000");
        write(format!("{folder}/cpufreq/scaling_governor"), "performance");
        write(format!("{folder}/thermal_throttle/core_throttle_count"), "0");
        write(format!("{folder}/thermal_throttle/package_throttle_count"), "0");
    }
    for zone in 0..4 {
        write(format!("sys/class/powercap/intel-rapl:{zone}/name"), &format!("package-{zone}"));
        write(format!("sys/class/powercap/intel-rapl:{zone}/energy_uj"), "5");
        write(format!("sys/class/thermal/thermal_zone{zone}/type"), "x86_pkg_temp");
        write(format!("sys/class/thermal/thermal_zone{zone}/temp"), "45000");
    }
}
