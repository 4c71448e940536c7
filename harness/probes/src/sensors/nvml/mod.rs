//! NVIDIA boards through NVML, the driver's own library, loaded when it is there.
//!
//! The energy counter is the board's since the driver was loaded (Volta and newer), refreshed about every 100 ms. Power is
//! a mean of about a second on many boards, so of the two the counter is to be believed. Everything is the whole board's.

mod board;
mod library;

use std::time::Duration;

use yardstick_record::Reading;

use self::board::Board;
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor};
use crate::Root;
use crate::probe::Learnt;

pub(super) const ENTRY: Entry = Entry {
    name: "nvml",
    measures: "energy, power, temperature, clocks and memory of NVIDIA boards",
    could: &[Quantity::GraphicsEnergy],
    absent: (
        "nvml_0_joules",
        About { unit: "J", source: board::ENERGY, scope: "board", better: board::LESS },
    ),
    open: |root| {
        if !root.is_machine() {
            return Err(Missing::new("libnvidia-ml is not asked about a fixture tree", None));
        }
        match library::open() {
            Ok(driver) => Nvml::open(driver).map(|nvml| Box::new(nvml) as Box<dyn Sensor>),
            Err(missing) => Err(without_board(root).unwrap_or(missing)),
        }
    },
};

/// Boards read at most.
const MOST_BOARDS: u32 = 8;
/// PCI vendor id of NVIDIA.
const VENDOR: &str = "0x10de";

/// What is asked of the driver about one of its boards; tests answer instead.
pub(super) trait Driver: Send {
    fn boards(&self) -> Result<u32, Missing>;
    fn name(&self, board: u32) -> Learnt<String>;
    /// mJ since the driver was loaded.
    fn energy(&self, board: u32) -> Learnt<u64>;
    /// mW.
    fn power(&self, board: u32) -> Learnt<f64>;
    /// Degrees.
    fn temperature(&self, board: u32) -> Learnt<f64>;
    /// MHz of the processors and of the memory.
    fn clocks(&self, board: u32) -> Learnt<(f64, f64)>;
    /// Percent of the time in which a kernel ran.
    fn busy(&self, board: u32) -> Learnt<f64>;
    /// mW it may draw.
    fn power_limit(&self, board: u32) -> Learnt<f64>;
    /// What slows it down now.
    fn throttled(&self, board: u32) -> Learnt<Throttled>;
    /// Bytes that a process holds.
    fn memory(&self, board: u32, pid: u32) -> Learnt<f64>;
    /// Processes that compute there beside this one; a reason where this one is not there.
    fn others(&self, board: u32, pid: u32) -> Learnt<f64>;
}

/// What slows a board down, as the driver sorts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Throttled {
    /// It would draw more than its power limit.
    power: bool,
    /// It or its memory is too hot.
    heat: bool,
    /// Its hardware halved the clocks: power that sags, or a brake from outside.
    brake: bool,
}

impl Throttled {
    fn any(self) -> bool {
        self.power || self.heat || self.brake
    }
}

/// See the file's head.
struct Nvml {
    driver: Box<dyn Driver>,
    boards: Vec<Board>,
    pid: u32,
}

impl Nvml {
    fn open(driver: Box<dyn Driver>) -> Result<Nvml, Missing> {
        match driver.boards()? {
            0 => Err(Missing::new("the NVIDIA driver lists no board", None)),
            n => Ok(Nvml {
                driver,
                boards: (0..n.min(MOST_BOARDS)).map(Board::new).collect(),
                pid: 0,
            }),
        }
    }
}

/// Why no advice about drivers would help: the PCI bus shows no board of theirs.
fn without_board(root: &Root) -> Option<Missing> {
    let folder = "/sys/bus/pci/devices";
    let devices = root.list(folder).ok().filter(|devices| !devices.is_empty())?;
    let is_theirs = |device: &String| {
        root.line(&format!("{folder}/{device}/vendor")).is_ok_and(|vendor| vendor == VENDOR)
    };
    // Windows hands its boards to Linux inside it without a bus.
    let hidden = root.exists("/dev/dxg");
    (!hidden && !devices.iter().any(is_theirs))
        .then(|| Missing::new("no NVIDIA board is on the PCI bus", None))
}

impl Sensor for Nvml {
    fn begin(&mut self, pid: u32) {
        self.pid = pid;
        self.boards.iter_mut().for_each(Board::begin);
    }

    fn sample(&mut self, at: Duration) {
        for board in &mut self.boards {
            board.sample(&*self.driver, self.pid, at);
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        self.boards.iter().flat_map(Board::readings).collect()
    }

    fn health(&mut self) -> Health {
        let mut status = Vec::new();
        let mut provides = Vec::new();
        for board in &self.boards {
            let name = self.driver.name(board.index).unwrap_or_else(|reason| reason);
            let (energy, power) = (self.driver.energy(board.index), self.driver.power(board.index));
            if energy.is_ok() || power.is_ok() {
                provides.push(Quantity::GraphicsEnergy);
            }
            status.push(match (energy, power) {
                (Ok(_), _) => format!("{name}: energy counter"),
                (Err(why), Ok(_)) => format!("{name}: power only ({why})"),
                (Err(why), Err(_)) => format!("{name}: neither energy nor power ({why})"),
            });
        }
        Health { status: Ok(status.join(", ")), provides }
    }
}

#[cfg(test)]
mod tests;
