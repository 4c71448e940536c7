//! Slow-downs on purpose, to measure how often the gate notices. Never in a release.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use yardstick_cpu::bench::Slices;

/// Rows are run alone from multiples of this on.
const STEP: usize = 32;
/// Fewest rows added at once: each piece begins a stream, which costs more than its rows.
const PIECE: f64 = 256.0;

/// What is done beside the work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inject {
    /// `rows=3`: so many percent of the rows once more, on data that are in no cache; below 0 fewer.
    Rows(f64),
    /// `stride=N`: rows in tasks of 32, N tasks apart, so that no stream is long.
    Stride(usize),
    /// `sleep=US`: so many microseconds of sleep every call.
    Sleep(u64),
    /// `lock=US`: a lock every call, which another thread holds for so many microseconds.
    Lock(u64),
}

impl std::str::FromStr for Inject {
    type Err = String;

    fn from_str(text: &str) -> Result<Inject, String> {
        let expected =
            || format!("--inject {text}: expected rows=PERCENT, stride=N, sleep=US or lock=US");
        let (what, amount) = text.split_once('=').ok_or_else(expected)?;
        let percent: f64 = amount.parse().map_err(|_| expected())?;
        if !(-100.0..=1e6).contains(&percent) || (what != "rows" && percent < 1.0) {
            return Err(expected());
        }
        match what {
            "rows" => Ok(Inject::Rows(percent)),
            "stride" => Ok(Inject::Stride(percent as usize)),
            "sleep" => Ok(Inject::Sleep(percent as u64)),
            "lock" => Ok(Inject::Lock(percent as u64)),
            _ => Err(expected()),
        }
    }
}

impl Inject {
    /// A kernel with this added.
    pub(super) fn added(self, kernel: Box<dyn Slices>) -> Box<dyn Slices> {
        let lock = Arc::new(Mutex::new(()));
        if let Inject::Lock(us) = self {
            hold(Arc::downgrade(&lock), Duration::from_micros(us));
        }
        Box::new(Slowed { kernel, inject: self, owed: 0.0, lock, ran: false })
    }
}

/// Holds the lock half of the time, until nobody else knows it.
fn hold(lock: std::sync::Weak<Mutex<()>>, held: Duration) {
    std::thread::spawn(move || {
        while let Some(lock) = lock.upgrade() {
            let guard = lock.lock();
            std::thread::sleep(held);
            drop(guard);
            drop(lock);
            std::thread::sleep(held);
        }
    });
}

struct Slowed {
    kernel: Box<dyn Slices>,
    inject: Inject,
    /// Rows, or calls where there are none, that are still to be run.
    owed: f64,
    lock: Arc<Mutex<()>>,
    /// The first call is as it is without: outputs are compared after it.
    ran: bool,
}

impl Slowed {
    fn more(&mut self, slice: usize, percent: f64) {
        // The data furthest away in time from the calls before and after.
        let far = (slice + self.kernel.count() / 2) % self.kernel.count();
        match self.kernel.rows() {
            Some(rows) => {
                self.owed += rows as f64 * percent / 100.0;
                if self.owed < PIECE.min(rows as f64) {
                    return;
                }
                let whole = (self.owed / STEP as f64).floor() * STEP as f64;
                let now = whole.clamp(0.0, rows as f64);
                self.kernel.run_rows(far, 0..now as usize);
                self.owed -= now;
            }
            None => {
                self.owed += percent / 100.0;
                while self.owed >= 1.0 {
                    self.kernel.run(far);
                    self.owed -= 1.0;
                }
            }
        }
    }

    fn less(&mut self, slice: usize, percent: f64) {
        match self.kernel.rows() {
            Some(rows) => {
                self.owed -= rows as f64 * percent / 100.0;
                let skipped = (self.owed / STEP as f64).floor() * STEP as f64;
                self.kernel.run_rows(slice, 0..rows - skipped as usize);
                self.owed -= skipped;
            }
            None => {
                self.owed -= percent / 100.0;
                if self.owed >= 1.0 {
                    self.owed -= 1.0;
                } else {
                    self.kernel.run(slice);
                }
            }
        }
    }

    fn strided(&mut self, slice: usize, stride: usize) {
        let tasks = self.kernel.rows().map_or(0, |rows| rows / STEP);
        if tasks == 0 {
            return self.kernel.run(slice);
        }
        for first in 0..stride.min(tasks) {
            for task in (first..tasks).step_by(stride) {
                self.kernel.run_rows(slice, task * STEP..(task + 1) * STEP);
            }
        }
    }
}

impl Slices for Slowed {
    fn count(&self) -> usize {
        self.kernel.count()
    }

    fn run(&mut self, slice: usize) {
        if !std::mem::replace(&mut self.ran, true) {
            return self.kernel.run(slice);
        }
        match self.inject {
            Inject::Rows(percent) if percent < 0.0 => return self.less(slice, percent),
            Inject::Stride(stride) => return self.strided(slice, stride),
            Inject::Rows(percent) => self.more(slice, percent),
            Inject::Sleep(us) => std::thread::sleep(Duration::from_micros(us)),
            Inject::Lock(_) => drop(self.lock.lock()),
        }
        self.kernel.run(slice);
    }

    fn rows(&self) -> Option<usize> {
        self.kernel.rows()
    }

    fn run_rows(&mut self, slice: usize, rows: Range<usize>) {
        self.kernel.run_rows(slice, rows);
    }

    fn output(&self) -> Vec<f32> {
        self.kernel.output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_nonsense_is_refused() {
        assert_eq!("rows=-3".parse(), Ok(Inject::Rows(-3.0)));
        assert_eq!("sleep=200".parse(), Ok(Inject::Sleep(200)));
        for wrong in ["rows", "rows=x", "nothing=3", "sleep=-1", "stride=0", "rows=-200"] {
            assert!(wrong.parse::<Inject>().is_err(), "{wrong}");
        }
    }
}
