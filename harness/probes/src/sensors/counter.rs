//! Energy from a counter that only grows, wraps, and may be stuck, reset or gone.
//!
//! Each read adds what passed since the one before, so that any number of wraps is counted as long as no two fall between
//! two reads; where that could have happened the energy is unknown.

use std::time::Duration;

use crate::probe::Learnt;

/// A counter that did not change for so long under load is broken.
const STUCK: Duration = Duration::from_secs(1);
/// A window of fewer updates than this is off by more than a tenth: up to one update is missing at each end.
const FEWEST_UPDATES: u32 = 20;
/// Updates come with jitter: this much energy may seem to pass too early.
const SLACK: Duration = Duration::from_millis(50);

/// What is fixed about a counter.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// Joules of one unit of the counter.
    pub(crate) joules: f64,
    /// The value after which it starts again from 0, or why that is not known.
    pub(crate) range: Learnt<u64>,
    /// More than this cannot be drawn: watts.
    pub(crate) most_watts: f64,
    /// How often the hardware updates it, about.
    pub(crate) update: Duration,
}

/// A counter over a test.
#[derive(Debug)]
pub(crate) struct Counter {
    kind: Kind,
    /// When and what was read first and last.
    first: Option<Duration>,
    last: Option<(Duration, u64)>,
    changed: Duration,
    stillest: Duration,
    units: u64,
    /// Why the energy is unknown from here on.
    spoiled: Option<String>,
    /// Why the latest read failed.
    failed: Option<String>,
}

/// Energy over a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Energy {
    pub(crate) joules: f64,
    /// Mean power.
    pub(crate) watts: f64,
}

impl Counter {
    pub(crate) fn new(kind: Kind) -> Counter {
        let zero = Duration::ZERO;
        Counter {
            kind,
            first: None,
            last: None,
            changed: zero,
            stillest: zero,
            units: 0,
            spoiled: None,
            failed: None,
        }
    }

    pub(crate) fn begin(&mut self) {
        *self = Counter::new(self.kind.clone());
    }

    /// Takes a read.
    pub(crate) fn take(&mut self, at: Duration, value: Learnt<u64>) {
        self.failed = value.as_ref().err().cloned();
        let Ok(value) = value else { return };
        let Some((before_at, before)) = self.last else {
            (self.first, self.changed, self.last) = (Some(at), at, Some((at, value)));
            self.spoil(self.beyond(value));
            return;
        };
        let passed = at.saturating_sub(before_at);
        match self.step(before, value, passed) {
            Ok(units) => self.units = self.units.saturating_add(units),
            Err(reason) => self.spoil(Some(reason)),
        }
        if value == before {
            self.stillest = self.stillest.max(at.saturating_sub(self.changed));
        } else {
            self.changed = at;
        }
        self.last = Some((at, value));
    }

    /// The first reason stays.
    fn spoil(&mut self, reason: Option<String>) {
        if self.spoiled.is_none() {
            self.spoiled = reason;
        }
    }

    fn beyond(&self, value: u64) -> Option<String> {
        let range = *self.kind.range.as_ref().ok()?;
        (value > range).then(|| format!("reads {value}, beyond its range {range}"))
    }

    /// Units that passed from one read to the next.
    fn step(&self, before: u64, after: u64, passed: Duration) -> Learnt<u64> {
        if let Some(reason) = self.beyond(after) {
            return Err(reason);
        }
        let most = self.kind.most_watts * (passed + SLACK + self.kind.update).as_secs_f64();
        let units = match (after.checked_sub(before), &self.kind.range) {
            (Some(units), Err(_)) => units,
            (None, Err(why)) => {
                return Err(format!(
                    "went backwards, from {before} to {after}, and where it wraps is not known: {why}"
                ));
            }
            (forward, Ok(range)) => {
                if *range as f64 * self.kind.joules < most {
                    let seconds = passed.as_secs_f64();
                    return Err(format!(
                        "was not read for {seconds:.0} s, in which it may have wrapped unseen"
                    ));
                }
                // The hardware's counter has one step more than the largest value it shows.
                forward.unwrap_or_else(|| range.saturating_sub(before).saturating_add(after))
            }
        };
        let joules = units as f64 * self.kind.joules;
        if joules > most {
            let watts = self.kind.most_watts;
            return Err(format!(
                "jumped by {joules:.0} J in {:.3} s: reset, or nonsense (limit {watts:.0} W)",
                passed.as_secs_f64()
            ));
        }
        Ok(units)
    }

    /// What passed from the first read to the last.
    pub(crate) fn energy(&self) -> Learnt<Energy> {
        if let Some(reason) = &self.spoiled {
            return Err(reason.clone());
        }
        if let Some(reason) = &self.failed {
            return Err(match self.first {
                Some(_) => format!("vanished during the test: {reason}"),
                None => reason.clone(),
            });
        }
        let (Some(first), Some((last, _))) = (self.first, self.last) else {
            return Err("was never read".to_owned());
        };
        let window = last.saturating_sub(first);
        let seconds = window.as_secs_f64();
        if self.stillest >= STUCK {
            let still = self.stillest.as_secs_f64();
            return Err(format!("stuck: it did not change for {still:.1} s of {seconds:.1} s"));
        }
        if window < self.kind.update * FEWEST_UPDATES {
            return Err(format!(
                "too short: {seconds:.3} s hold fewer than {FEWEST_UPDATES} updates of the counter"
            ));
        }
        if self.units == 0 {
            return Err(format!("stuck: it did not change in {seconds:.2} s"));
        }
        let joules = self.units as f64 * self.kind.joules;
        Ok(Energy { joules, watts: joules / seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: u64 = 262_143_328_850;

    fn kind() -> Kind {
        Kind {
            joules: 1e-6,
            range: Ok(RANGE),
            most_watts: 2000.0,
            update: Duration::from_millis(1),
        }
    }

    fn after(kind: Kind, reads: &[(u64, Learnt<u64>)]) -> Learnt<Energy> {
        let mut counter = Counter::new(kind);
        for (ms, value) in reads {
            counter.take(Duration::from_millis(*ms), value.clone());
        }
        counter.energy()
    }

    fn reason(kind: Kind, reads: &[(u64, Learnt<u64>)]) -> String {
        after(kind, reads).unwrap_err()
    }

    #[test]
    fn energy_is_what_passed_and_power_its_mean() {
        let reads = [(0, Ok(5)), (500, Ok(40_000_005)), (2000, Ok(100_000_005))];
        let energy = after(kind(), &reads).unwrap();
        assert_eq!(energy, Energy { joules: 100.0, watts: 50.0 });
    }

    #[test]
    fn any_number_of_wraps_is_counted_when_read_often_enough() {
        // 100 W read every 0.2 s from a counter of 65.6 J: 0.66 s a wrap.
        let small = Kind { range: Ok(65_600_000), most_watts: 200.0, ..kind() };
        for (seconds, wraps) in [(1_u64, 1_u64), (2, 3), (20, 30)] {
            let mut counter = Counter::new(small.clone());
            let mut seen = 0;
            let mut last = 0;
            for tick in 0..=seconds * 5 {
                let value = tick * 20_000_000 % 65_600_000;
                seen += u64::from(value < last);
                last = value;
                counter.take(Duration::from_millis(tick * 200), Ok(value));
            }
            assert_eq!(seen, wraps);
            let joules = counter.energy().unwrap().joules;
            assert!((joules / (100.0 * seconds as f64) - 1.0).abs() < 1e-9, "{joules}");
        }
    }

    #[test]
    fn wraps_that_may_have_been_missed_make_it_unknown() {
        let reads = [(0, Ok(1000)), (200_000, Ok(90_000_000_000))];
        assert!(reason(kind(), &reads).contains("wrapped unseen"));
    }

    #[test]
    fn a_wrap_without_a_known_range_is_a_reason_and_growth_is_not() {
        let unknown = Kind { range: Err("no max_energy_range_uj".to_owned()), ..kind() };
        let wrapped = [(0, Ok(90_000_000)), (1000, Ok(10))];
        let why = reason(unknown.clone(), &wrapped);
        assert!(why.contains("backwards") && why.contains("max_energy_range_uj"), "{why}");
        let grown = [(0, Ok(10)), (500, Ok(30_000_010)), (1000, Ok(50_000_010))];
        assert_eq!(after(unknown, &grown).unwrap().joules, 50.0);
    }

    #[test]
    fn nonsense_is_a_reason_whatever_follows() {
        let text = || Err("expected a whole number, found \"-5\"".to_owned());
        for (reads, named) in [
            (vec![(0, Ok(0)), (1000, Ok(9_000_000_000))], "jumped by 9000 J"),
            (vec![(0, Ok(9_000_000_000)), (1000, Ok(7))], "jumped by"),
            (vec![(0, Ok(RANGE + 1)), (1000, Ok(5))], "beyond its range"),
            (vec![(0, Ok(5)), (1000, Ok(u64::MAX))], "beyond its range"),
            (vec![(0, text())], "whole number"),
            (vec![(0, Ok(5)), (500, Ok(20_000_000)), (1000, text())], "vanished"),
            (vec![], "never read"),
        ] {
            let why = reason(kind(), &reads);
            assert!(why.contains(named), "{reads:?}: {why}");
            let more = [reads, vec![(1500, Ok(6)), (2000, text())]].concat();
            assert!(after(kind(), &more).is_err());
        }
    }

    #[test]
    fn a_counter_that_stands_still_is_stuck_and_never_0() {
        for (reads, named) in [
            (vec![(0, Ok(7)), (600, Ok(7)), (1200, Ok(7))], "stuck"),
            (vec![(0, Ok(7)), (300, Ok(7))], "stuck"),
            (
                vec![
                    (0, Ok(0)),
                    (500, Ok(10_000_000)),
                    (900, Ok(10_000_000)),
                    (1500, Ok(10_000_000)),
                ],
                "stuck: it did not change for 1.0 s of 1.5 s",
            ),
            (vec![(0, Ok(0)), (10, Ok(500_000))], "too short"),
        ] {
            let why = reason(kind(), &reads);
            assert!(why.contains(named), "{reads:?}: {why}");
        }
        // Shorter pauses are the counter's resolution.
        let reads =
            [(0, Ok(0)), (500, Ok(10_000_000)), (900, Ok(10_000_000)), (1400, Ok(20_000_000))];
        assert_eq!(after(kind(), &reads).unwrap().joules, 20.0);
    }

    #[test]
    fn a_read_that_fails_once_costs_nothing() {
        let reads = [(0, Ok(0)), (500, Err("busy".to_owned())), (1000, Ok(50_000_000))];
        assert_eq!(after(kind(), &reads).unwrap().joules, 50.0);
    }

    #[test]
    fn a_jittery_slow_counter_stays_within_what_one_update_at_each_end_allows() {
        // 100 ms refresh, read every 200 ms at five phases, 80 W.
        let slow = Kind {
            joules: 1e-3,
            range: Err("none".to_owned()),
            most_watts: 3000.0,
            update: Duration::from_millis(100),
        };
        for phase in [0_u64, 17, 43, 71, 99] {
            let mut counter = Counter::new(slow.clone());
            for tick in 0..=25_u64 {
                let shown = (tick * 200 + phase) / 100 * 100;
                counter.take(Duration::from_millis(tick * 200), Ok(1_000_000 + shown * 80));
            }
            let joules = counter.energy().unwrap().joules;
            assert!((joules - 400.0).abs() <= 2.0 * 0.1 * 80.0, "phase {phase}: {joules}");
        }
    }
}
