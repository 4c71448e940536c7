//! Energy from a counter that only grows, wraps, and may be stuck, reset or gone.
//!
//! Each read adds what passed since the one before, so that any number of wraps is counted as long as no two fall between
//! two reads; where that could have happened the energy is unknown.

use std::time::Duration;

use yardstick_record::Precision;

use crate::probe::Learnt;

/// A counter that did not change for so long under load is broken.
const STUCK: Duration = Duration::from_secs(1);
/// A window of fewer updates than this is off by more than a tenth: up to one update is missing at each end.
const FEWEST_UPDATES: u32 = 20;
/// Energy is off by up to one update at each end of the window.
const UPDATES_OFF: f64 = 2.0;
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
    /// The most that was drawn from one read to the next, watts.
    peak: f64,
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
    /// Of the joules.
    pub(crate) precision: Precision,
    seconds: f64,
}

impl Energy {
    /// The joules as a reading takes them.
    pub(crate) fn in_joules(&self) -> (f64, Precision) {
        (self.joules, self.precision)
    }

    /// The mean power as a reading takes it.
    pub(crate) fn in_watts(&self) -> (f64, Precision) {
        let uncertainty = self.precision.uncertainty / self.seconds;
        (self.watts, Precision { uncertainty, ..self.precision })
    }
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
            peak: 0.0,
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
            Ok(units) => {
                self.units = self.units.saturating_add(units);
                // Two reads within one update would see all of it pass at once.
                let seconds = passed.max(self.kind.update).as_secs_f64();
                self.peak = self.peak.max(units as f64 * self.kind.joules / seconds);
            }
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
                // One step of some µJ is lost by the wrap itself: not worth a rule.
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
        let update = self.kind.update.as_secs_f64();
        let precision = Precision {
            uncertainty: UPDATES_OFF * update * self.peak,
            rate_hz: 1.0 / update,
            coverage: 1.0,
        };
        Ok(Energy { joules, watts: joules / seconds, precision, seconds })
    }
}

#[cfg(test)]
mod tests;
