//! What a quantity of the moment (a temperature, a clock, a power) did over a test, from reads now and then.

use std::ops::RangeInclusive;
use std::time::Duration;

use yardstick_record::Precision;

use crate::probe::Learnt;

/// A quantity over a test.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// Values outside are nonsense.
    plausible: RangeInclusive<f64>,
    first: f64,
    last: Option<(Duration, f64)>,
    least: f64,
    most: f64,
    /// Value times seconds.
    area: f64,
    /// Sums over the reads of the value and of its square, less the first value.
    sums: [f64; 2],
    seconds: f64,
    reads: u32,
    failures: u32,
    spoiled: Option<String>,
    failed: Option<String>,
}

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Course {
    pub(crate) first: f64,
    pub(crate) least: f64,
    /// Over time, straight lines between reads.
    pub(crate) mean: f64,
    pub(crate) most: f64,
    /// Of the mean.
    pub(crate) precision: Precision,
}

impl Course {
    /// The mean as a reading takes it.
    pub(crate) fn in_mean(&self) -> (f64, Precision) {
        (self.mean, self.precision)
    }
}

impl Gauge {
    pub(crate) fn new(plausible: RangeInclusive<f64>) -> Gauge {
        Gauge {
            plausible,
            first: 0.0,
            last: None,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            area: 0.0,
            sums: [0.0; 2],
            seconds: 0.0,
            reads: 0,
            failures: 0,
            spoiled: None,
            failed: None,
        }
    }

    pub(crate) fn begin(&mut self) {
        *self = Gauge::new(self.plausible.clone());
    }

    /// Takes a read.
    pub(crate) fn take(&mut self, at: Duration, value: Learnt<f64>) {
        self.failed = value.as_ref().err().cloned();
        let Ok(value) = value else {
            self.failures += 1;
            return;
        };
        if !self.plausible.contains(&value) {
            let (low, high) = (self.plausible.start(), self.plausible.end());
            let reason = format!("nonsense: it reads {value}, plausible is {low} to {high}");
            self.spoiled.get_or_insert(reason);
            return;
        }
        match self.last {
            None => self.first = value,
            Some((before_at, before)) => {
                let seconds = at.saturating_sub(before_at).as_secs_f64();
                self.area += (before + value) / 2.0 * seconds;
                self.seconds += seconds;
            }
        }
        let beyond = value - self.first;
        self.sums = [self.sums[0] + beyond, self.sums[1] + beyond * beyond];
        self.last = Some((at, value));
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        self.reads += 1;
    }

    /// What it did over the test.
    pub(crate) fn course(&self) -> Learnt<Course> {
        if let Some(reason) = &self.spoiled {
            return Err(reason.clone());
        }
        let Some((_, last)) = self.last else {
            return Err(self.failed.clone().unwrap_or_else(|| "was never read".to_owned()));
        };
        if let Some(reason) = &self.failed {
            return Err(format!("vanished during the test: {reason}"));
        }
        if self.failures * 10 > self.reads {
            let all = self.failures + self.reads;
            return Err(format!("{} of {all} reads failed", self.failures));
        }
        let mean = if self.seconds > 0.0 { self.area / self.seconds } else { last };
        let (first, least, most) = (self.first, self.least, self.most);
        Ok(Course { first, least, mean, most, precision: self.precision() })
    }

    /// Half of the mean's 95 % interval, for reads that are not in step with the load.
    fn precision(&self) -> Precision {
        let n = f64::from(self.reads);
        let squares = self.sums[1] - self.sums[0] * self.sums[0] / n;
        let error = 2.0 * (squares.max(0.0) / (n - 1.0).max(1.0) / n).sqrt();
        Precision {
            uncertainty: if self.reads > 1 { error } else { self.most.abs() },
            rate_hz: if self.seconds > 0.0 { (n - 1.0) / self.seconds } else { 0.0 },
            coverage: n / (n + f64::from(self.failures)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reads: &[(u64, Learnt<f64>)]) -> Learnt<Course> {
        let mut gauge = Gauge::new(0.0..=100.0);
        for (ms, value) in reads {
            gauge.take(Duration::from_millis(*ms), value.clone());
        }
        gauge.course()
    }

    #[test]
    fn the_mean_is_over_time_and_not_over_reads() {
        let reads = [(0, Ok(10.0)), (100, Ok(10.0)), (200, Ok(10.0)), (1200, Ok(30.0))];
        let course = after(&reads).unwrap();
        assert!((course.mean - 22.0 / 1.2).abs() < 1e-9, "{course:?}");
        assert_eq!((course.first, course.least, course.most), (10.0, 10.0, 30.0));
        // Four reads with a standard deviation of 10 over 1.2 s.
        let Precision { uncertainty, rate_hz, coverage } = course.precision;
        assert!((uncertainty - 10.0).abs() < 1e-9 && (rate_hz - 2.5).abs() < 1e-9, "{course:?}");
        assert_eq!(coverage, 1.0);
        assert_eq!(after(&reads[..1]).unwrap().mean, 10.0);
    }

    #[test]
    fn nonsense_failures_and_vanishing_are_reasons() {
        let gone = || Err("does not exist".to_owned());
        for (reads, named) in [
            (vec![], "never read"),
            (vec![(0, gone())], "does not exist"),
            (vec![(0, Ok(1.0)), (1, gone())], "vanished"),
            (vec![(0, Ok(1.0)), (1, Ok(-1.0)), (2, Ok(1.0))], "nonsense: it reads -1"),
            (vec![(0, Ok(101.0)), (2, Ok(1.0))], "nonsense"),
            (vec![(0, Ok(f64::NAN)), (2, Ok(1.0))], "nonsense"),
            (vec![(0, Ok(1.0)), (1, gone()), (2, Ok(1.0))], "1 of 3 reads failed"),
        ] {
            let why = after(&reads).unwrap_err();
            assert!(why.contains(named), "{reads:?}: {why}");
        }
    }
}
