//! The clock that samples are timed with, held against itself and another one: how fine it is, that it never goes back, and that it
//! runs as fast while the processor sleeps as while it works. A clock that fails makes every number here worthless.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

/// Readings in a row for resolution, cost and order.
const READINGS: usize = 20_000;
/// Length of the hot and of the cold slice.
const SLICE: Duration = Duration::from_millis(25);
/// A clock that is coarser cannot time a token of a small model.
const COARSEST_NS: u64 = 10_000;
/// A reading that takes longer disturbs what it times.
const SLOWEST_NS: f64 = 5_000.0;
/// Disagreement with the other clock beyond which it runs wrongly: network time turns clocks by at most 500 millionths; the rest
/// is for a slice so short.
const MOST_PPM: f64 = 10_000.0;
/// Tries of a slice: a scheduler that interrupts between both readings, or a clock that is set, spoils one but not all.
const TRIES: usize = 5;

/// What the self-test found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClockCheck {
    /// The least step between two readings that differ, nanoseconds.
    pub resolution_ns: u64,
    /// Time that one reading takes, nanoseconds.
    pub reading_ns: f64,
    /// Readings that lay before the one before them.
    pub backward: usize,
    /// Difference from the wall clock over a slice of work, millionths.
    pub hot_ppm: f64,
    /// The same over a slice of sleep.
    pub cold_ppm: f64,
}

impl ClockCheck {
    /// Why the clock cannot be measured with, if so.
    pub fn flaw(&self) -> Option<String> {
        let ppm = |what: &str, ppm: f64| {
            // Not a number is not within.
            let within = ppm.abs() <= MOST_PPM;
            (!within).then(|| format!("it runs {:.1} % off the wall clock over {what}", ppm / 1e4))
        };
        if self.backward > 0 {
            return Some(format!("it went back {} times in {READINGS} readings", self.backward));
        }
        if self.resolution_ns == 0 || self.resolution_ns > COARSEST_NS {
            let (found, most) = (self.resolution_ns, COARSEST_NS);
            return Some(format!("its steps are {found} ns, at most {most} are fine enough"));
        }
        if self.reading_ns.is_nan() || self.reading_ns > SLOWEST_NS {
            let (found, most) = (self.reading_ns, SLOWEST_NS);
            return Some(format!(
                "a reading takes {found:.0} ns, at most {most:.0} disturb little"
            ));
        }
        ppm("a slice of work", self.hot_ppm).or_else(|| ppm("a slice of sleep", self.cold_ppm))
    }

    /// In words.
    pub fn describe(&self) -> String {
        format!(
            "steps of {} ns, {:.0} ns a reading, never back in {READINGS}; against the wall clock {:+.0} ppm at work, {:+.0} ppm asleep",
            self.resolution_ns, self.reading_ns, self.hot_ppm, self.cold_ppm
        )
    }
}

/// The self-test, made once a process; about 60 ms.
pub fn clock_check() -> &'static ClockCheck {
    static FOUND: OnceLock<ClockCheck> = OnceLock::new();
    FOUND.get_or_init(|| {
        let (resolution_ns, reading_ns, backward) = readings(READINGS, || start().elapsed());
        ClockCheck {
            resolution_ns,
            reading_ns,
            backward,
            hot_ppm: least(|| slice(work)),
            cold_ppm: least(|| slice(|| std::thread::sleep(SLICE))),
        }
    })
}

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Least step, mean cost, and how often it went back.
fn readings(n: usize, mut read: impl FnMut() -> Duration) -> (u64, f64, usize) {
    let all: Vec<Duration> = (0..n).map(|_| read()).collect();
    let pairs = || all.windows(2).map(|pair| (pair[0], pair[1]));
    let backward = pairs().filter(|(before, after)| after < before).count();
    let steps = pairs().filter_map(|(before, after)| after.checked_sub(before));
    let least = steps.filter(|step| !step.is_zero()).min().unwrap_or_default();
    let span = match (all.first(), all.last()) {
        (Some(first), Some(last)) => last.saturating_sub(*first).as_nanos() as f64,
        _ => f64::NAN,
    };
    (least.as_nanos() as u64, span / n.saturating_sub(1).max(1) as f64, backward)
}

fn work() {
    let (start, mut sum) = (Instant::now(), 0_u64);
    while start.elapsed() < SLICE {
        for i in 0..1000_u64 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(i));
        }
    }
}

/// Difference of the two clocks over something, millionths; not a number where the wall clock was set back meanwhile.
fn slice(something: impl FnOnce()) -> f64 {
    let (wall, monotonic) = (SystemTime::now(), Instant::now());
    something();
    let (monotonic, wall) = (monotonic.elapsed(), wall.elapsed());
    wall.map_or(f64::NAN, |wall| (monotonic.as_secs_f64() / wall.as_secs_f64() - 1.0) * 1e6)
}

/// The smallest of a few tries, by size.
fn least(mut slice: impl FnMut() -> f64) -> f64 {
    let mut best = f64::NAN;
    for _ in 0..TRIES {
        let found = slice();
        if best.is_nan() || found.abs() < best.abs() {
            best = found;
        }
        // As good as such a slice can tell.
        if best.abs() < MOST_PPM / 10.0 {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> ClockCheck {
        ClockCheck {
            resolution_ns: 20,
            reading_ns: 25.0,
            backward: 0,
            hot_ppm: 3.0,
            cold_ppm: -9.0,
        }
    }

    #[test]
    fn each_flaw_is_told_and_a_fine_clock_has_none() {
        assert_eq!(fine().flaw(), None);
        for (bad, why) in [
            (ClockCheck { backward: 1, ..fine() }, "went back 1 times"),
            (ClockCheck { resolution_ns: 1_000_000, ..fine() }, "its steps are 1000000 ns"),
            (ClockCheck { resolution_ns: 0, ..fine() }, "its steps are 0 ns"),
            (ClockCheck { reading_ns: 9_000.0, ..fine() }, "a reading takes 9000 ns"),
            (ClockCheck { reading_ns: f64::NAN, ..fine() }, "a reading takes NaN"),
            (
                ClockCheck { hot_ppm: 50_000.0, ..fine() },
                "5.0 % off the wall clock over a slice of work",
            ),
            (
                ClockCheck { cold_ppm: -900_000.0, ..fine() },
                "-90.0 % off the wall clock over a slice of sleep",
            ),
            (ClockCheck { cold_ppm: f64::NAN, ..fine() }, "over a slice of sleep"),
        ] {
            let flaw = bad.flaw().unwrap_or_default();
            assert!(flaw.contains(why), "expected {why:?}, found {flaw:?}");
        }
    }

    #[test]
    fn steps_costs_and_backward_readings_are_counted() {
        let mut times = [0, 10, 10, 30, 25, 45].map(Duration::from_nanos).into_iter();
        let found = readings(6, || times.next().unwrap());
        assert_eq!(found, (10, 9.0, 1), "steps of 10, 0, 20, one back, 20; 45 ns over 5 gaps");
    }

    /// A clock that stands still while nothing runs is seen by its cold slice alone.
    #[test]
    fn the_best_try_counts() {
        let mut tries = [90_000.0, f64::NAN, -400.0, 7.0].into_iter();
        assert_eq!(least(|| tries.next().unwrap()), -400.0);
        assert!(least(|| f64::NAN).is_nan());
    }

    #[test]
    fn this_machine_has_a_clock_to_measure_with() {
        let found = clock_check();
        assert_eq!(found.flaw(), None, "{found:?}");
    }
}
