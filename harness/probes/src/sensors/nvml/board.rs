//! One NVIDIA board over a test.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::super::counter::{Counter, Kind};
use super::super::gauge::{Course, Gauge};
use super::super::hwmon::celsius;
use super::super::sensor::About;
use super::{Driver, Throttled};
use crate::probe::Learnt;

pub(super) const ENERGY: &str = "NVML total energy, refreshed about every 100 ms";
pub(super) const LESS: Option<Direction> = Some(Direction::Lower);
/// No board draws more.
const MOST_WATTS: f64 = 3000.0;
const MHZ: std::ops::RangeInclusive<f64> = 0.0..=20_000.0;

/// See the file's head.
pub(super) struct Board {
    pub(super) index: u32,
    energy: Counter,
    power: Gauge,
    temperature: Gauge,
    processors: Gauge,
    memory_clock: Gauge,
    busy: Gauge,
    power_limit: Gauge,
    /// 1 while it is slowed down, else 0: by anything, by its power limit, by heat, by its hardware.
    throttled: [Gauge; 4],
    memory: Gauge,
    others: Gauge,
}

impl Board {
    pub(super) fn new(index: u32) -> Board {
        let energy = Kind {
            joules: 1e-3,
            range: Err("NVML does not tell it".to_owned()),
            most_watts: MOST_WATTS,
            update: Duration::from_millis(100),
        };
        Board {
            index,
            energy: Counter::new(energy),
            power: Gauge::new(0.0..=MOST_WATTS),
            temperature: celsius(),
            processors: Gauge::new(MHZ),
            memory_clock: Gauge::new(MHZ),
            busy: Gauge::new(0.0..=100.0),
            power_limit: Gauge::new(0.0..=MOST_WATTS),
            throttled: std::array::from_fn(|_| Gauge::new(0.0..=1.0)),
            memory: Gauge::new(0.0..=1e15),
            others: Gauge::new(0.0..=1e6),
        }
    }

    pub(super) fn begin(&mut self) {
        *self = Board::new(self.index);
    }

    pub(super) fn sample(&mut self, driver: &dyn Driver, pid: u32, at: Duration) {
        let board = self.index;
        self.energy.take(at, driver.energy(board));
        self.power.take(at, driver.power(board).map(|mw| mw / 1000.0));
        self.temperature.take(at, driver.temperature(board));
        let clocks = driver.clocks(board);
        self.processors.take(at, clocks.clone().map(|(processors, _)| processors));
        self.memory_clock.take(at, clocks.map(|(_, memory)| memory));
        self.busy.take(at, driver.busy(board));
        self.power_limit.take(at, driver.power_limit(board).map(|mw| mw / 1000.0));
        let reasons: [fn(Throttled) -> bool; 4] =
            [Throttled::any, |t| t.power, |t| t.heat, |t| t.brake];
        let throttled = driver.throttled(board);
        for (gauge, is) in self.throttled.iter_mut().zip(reasons) {
            gauge.take(at, throttled.clone().map(|now| f64::from(u8::from(is(now)))));
        }
        self.memory.take(at, driver.memory(board, pid));
        self.others.take(at, driver.others(board, pid));
    }

    pub(super) fn readings(&self) -> Vec<Reading> {
        let name = |suffix: &str| format!("nvml_{}_{suffix}", self.index);
        let about = |unit, source, better| About { unit, source, scope: "board", better };
        let of = |gauge: &Gauge, pick: fn(&Course) -> f64| gauge.course().map(|c| pick(&c));
        let energy = self.energy.energy();
        let temperature = about("°C", "NVML GPU temperature", LESS);
        let power = about("W", "NVML power usage, a mean of up to 1 s", LESS);
        let processors = about("MHz", "NVML SM clock", None);
        let busy = about("%", "NVML utilization", None);
        let [any, power_limited, hot, braked] = [
            (
                "throttled_percent",
                "NVML throttle reasons: share of the time with any of those below",
            ),
            (
                "throttled_by_power_percent",
                "NVML throttle reasons: share of the time at the power limit",
            ),
            ("throttled_by_heat_percent", "NVML throttle reasons: share of the time too hot"),
            (
                "throttled_by_brake_percent",
                "NVML throttle reasons: share of the time slowed by the hardware's brake",
            ),
        ]
        .map(|(suffix, source)| (suffix, about("%", source, LESS)));
        let throttled = |(suffix, about): (&str, About), gauge: &Gauge| {
            about.reading(name(suffix), of(gauge, |c| c.mean * 100.0))
        };
        let memory =
            About { scope: "worker", ..about("bytes", "NVML process memory, at its most", LESS) };
        let others = about(
            "processes",
            "NVML compute processes beside the worker's, at their most; null where the worker is not on this board",
            LESS,
        );
        vec![
            about("J", ENERGY, LESS)
                .observed(name("joules"), energy.clone().map(|e| e.in_joules())),
            about("W", ENERGY, LESS).observed(name("watts"), energy.map(|e| e.in_watts())),
            power.reading(name("power_mean_watts"), positive(of(&self.power, |c| c.mean))),
            power.reading(name("power_max_watts"), positive(of(&self.power, |c| c.most))),
            temperature.reading(name("start_celsius"), of(&self.temperature, |c| c.first)),
            temperature.reading(name("max_celsius"), of(&self.temperature, |c| c.most)),
            processors.reading(name("sm_clock_mean_mhz"), of(&self.processors, |c| c.mean)),
            processors.reading(name("sm_clock_min_mhz"), of(&self.processors, |c| c.least)),
            about("MHz", "NVML memory clock", None)
                .reading(name("memory_clock_mean_mhz"), of(&self.memory_clock, |c| c.mean)),
            busy.reading(name("busy_percent"), of(&self.busy, |c| c.mean)),
            about("W", "NVML enforced power limit", None)
                .reading(name("power_limit_watts"), positive(of(&self.power_limit, |c| c.least))),
            throttled(any, &self.throttled[0]),
            throttled(power_limited, &self.throttled[1]),
            throttled(hot, &self.throttled[2]),
            throttled(braked, &self.throttled[3]),
            memory.reading(name("worker_memory_max_bytes"), of(&self.memory, |c| c.most)),
            others.reading(name("other_processes"), of(&self.others, |c| c.most)),
        ]
    }
}

/// A board that is on draws power.
fn positive(watts: Learnt<f64>) -> Learnt<f64> {
    match watts {
        Ok(0.0) => Err("stuck: it reads 0 W under load".to_owned()),
        other => other,
    }
}
