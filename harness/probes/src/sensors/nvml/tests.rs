//! Boards that a made-up driver answers for.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use nvml_wrapper::error::NvmlError;
use tempfile::TempDir;
use yardstick_record::Reading;

use super::super::sensor::{Missing, Sensor};
use super::super::tests::{reason, value, write};
use super::{Driver, Nvml, Throttled, library, without_board};
use crate::Root;
use crate::probe::Learnt;

/// What the driver answers now.
#[derive(Clone, Debug)]
struct State {
    energy: Learnt<u64>,
    power: Learnt<f64>,
    throttled: Throttled,
    memory: Learnt<f64>,
    others: Learnt<f64>,
}

struct Fake(Arc<Mutex<State>>);

impl Fake {
    fn state(&self) -> State {
        self.0.lock().unwrap().clone()
    }
}

impl Driver for Fake {
    fn boards(&self) -> Result<u32, Missing> {
        Ok(1)
    }
    fn name(&self, _board: u32) -> Learnt<String> {
        Ok("H1".to_owned())
    }
    fn energy(&self, _board: u32) -> Learnt<u64> {
        self.state().energy
    }
    fn power(&self, _board: u32) -> Learnt<f64> {
        self.state().power
    }
    fn temperature(&self, _board: u32) -> Learnt<f64> {
        Ok(60.0)
    }
    fn clocks(&self, _board: u32) -> Learnt<(f64, f64)> {
        Ok((1980.0, 2619.0))
    }
    fn busy(&self, _board: u32) -> Learnt<f64> {
        Ok(97.0)
    }
    fn power_limit(&self, _board: u32) -> Learnt<f64> {
        Ok(700_000.0)
    }
    fn throttled(&self, _board: u32) -> Learnt<Throttled> {
        Ok(self.state().throttled)
    }
    fn memory(&self, _board: u32, pid: u32) -> Learnt<f64> {
        assert_eq!(pid, 7);
        self.state().memory
    }
    fn others(&self, _board: u32, pid: u32) -> Learnt<f64> {
        assert_eq!(pid, 7);
        self.state().others
    }
}

fn start() -> State {
    State {
        energy: Ok(5_000),
        power: Ok(300_000.0),
        throttled: Throttled::default(),
        memory: Ok(1e9),
        others: Ok(0.0),
    }
}

/// The board's readings where it is in these states, 0.5 s each.
fn over(states: &[State]) -> Vec<Reading> {
    let shared = Arc::new(Mutex::new(start()));
    let mut nvml = Nvml::open(Box::new(Fake(Arc::clone(&shared)))).unwrap();
    nvml.begin(7);
    for (n, state) in states.iter().enumerate() {
        *shared.lock().unwrap() = state.clone();
        nvml.sample(Duration::from_millis(500) * n as u32);
    }
    nvml.finish()
}

fn steady(n: u64) -> Vec<State> {
    (0..n).map(|i| State { energy: Ok(5_000 + i * 150_000), ..start() }).collect()
}

#[test]
fn a_boards_course_is_read() {
    let mut states = steady(9);
    states[4].throttled = Throttled { power: true, ..Throttled::default() };
    states[5].throttled = Throttled { heat: true, brake: true, ..Throttled::default() };
    states[5].memory = Ok(3e9);
    states[5].others = Ok(2.0);
    states[6].power = Ok(340_000.0);
    let readings = over(&states);
    for (name, expected) in [
        ("joules", 1200.0),
        ("watts", 300.0),
        ("power_mean_watts", 305.0),
        ("power_max_watts", 340.0),
        ("start_celsius", 60.0),
        ("sm_clock_min_mhz", 1980.0),
        ("memory_clock_mean_mhz", 2619.0),
        ("busy_percent", 97.0),
        ("power_limit_watts", 700.0),
        ("throttled_percent", 25.0),
        ("throttled_by_power_percent", 12.5),
        ("throttled_by_heat_percent", 12.5),
        ("throttled_by_brake_percent", 12.5),
        ("worker_memory_max_bytes", 3e9),
        ("other_processes", 2.0),
    ] {
        let got = value(&readings, &format!("nvml_0_{name}"));
        assert!((got - expected).abs() < 1e-9, "{name}: {got}");
    }
}

#[test]
fn what_the_driver_does_not_tell_is_a_reason_and_never_0() {
    const NONE: &str = "NVML: the requested operation is not available on the target device";
    fn none<T>() -> Learnt<T> {
        Err(NONE.to_owned())
    }
    let old: Vec<State> = (0..9)
        .map(|_| State { energy: none(), power: Ok(0.0), memory: none(), ..start() })
        .collect();
    let readings = over(&old);
    assert!(reason(&readings, "nvml_0_joules").contains("not available"));
    assert!(reason(&readings, "nvml_0_power_mean_watts").contains("0 W under load"));
    assert!(reason(&readings, "nvml_0_worker_memory_max_bytes").contains("not available"));
    // A test shorter than 20 refreshes, a stuck counter, one that steps back.
    assert!(reason(&over(&steady(3)), "nvml_0_joules").contains("too short"));
    assert!(reason(&over(&vec![start(); 9]), "nvml_0_joules").contains("stuck"));
    let mut reset = steady(9);
    reset[5].energy = Ok(0);
    assert!(reason(&over(&reset), "nvml_0_joules").contains("backwards"));
    let mut gone = steady(9);
    gone[8].energy = none();
    assert!(reason(&over(&gone), "nvml_0_joules").contains("vanished"));
}

#[test]
fn errors_of_the_library_say_what_to_do() {
    for (error, named, fix) in [
        (NvmlError::LibraryNotFound, "libnvidia-ml", Some("--gpus all")),
        (NvmlError::DriverNotLoaded, "not loaded", Some("modprobe nvidia")),
        (NvmlError::LibRmVersionMismatch, "another version", Some("reboot")),
        (NvmlError::NoPermission, "may not", Some("usermod")),
        (NvmlError::GpuLost, "fell off the bus", None),
    ] {
        let missing = library::missing(&error);
        assert!(missing.reason.contains(named), "{missing:?}");
        assert_eq!(missing.fix.is_some(), fix.is_some());
        assert!(missing.fix.unwrap_or_default().contains(fix.unwrap_or_default()));
    }
}

#[test]
#[cfg_attr(not(unix), ignore = "names with colons")]
fn who_has_no_board_is_not_told_to_install_a_driver() {
    let tree = TempDir::new().unwrap();
    let root = Root::new(tree.path());
    assert!(without_board(&root).is_none(), "a machine without a PCI bus may have one elsewhere");
    write(tree.path(), "sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
    assert!(without_board(&root).unwrap().reason.contains("PCI bus"));
    write(tree.path(), "sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
    assert!(without_board(&root).is_none());
}

#[test]
fn the_real_library_is_asked_without_a_panic() {
    match library::open() {
        Ok(driver) => println!("{:?}", driver.boards().map_err(|missing| missing.reason)),
        Err(missing) => assert!(!missing.reason.is_empty()),
    }
}
