//! A metered cell: as many repetitions as meters need to follow, and what the machine draws when it does nothing.

use std::time::{Duration, Instant};

use yardstick_record::{Reading, WarmUp};

use super::super::output::Measured;
use super::Measuring;
use crate::child::Child;
use crate::suite::Sampling;

/// How often a pause looks whether the run was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// As many as a suite may ask for.
const MOST_REPETITIONS: u128 = 100_000;
/// Repetitions become faster once they are warm.
const MARGIN_PERCENT: u128 = 110;

impl Measuring<'_, '_, '_> {
    /// The plan's sampling, with repetitions that fill the time meters need by what one took to warm up.
    pub(super) fn sampling(&self, warm_up: &WarmUp) -> Sampling {
        let sampling = self.run.plan.sampling;
        match self.run.metered {
            Some(time) => filling(sampling, time, warm_up),
            None => sampling,
        }
    }

    /// Does nothing for a while, unless the run is cancelled.
    pub(super) fn pause(&self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time && !self.run.cancelled() {
            std::thread::sleep(LOOK);
        }
    }

    /// Watches the loaded worker do nothing, where the run is metered.
    pub(super) fn idle(&mut self, when: &str, child: &Child, measured: &mut Measured) {
        let Some(time) = self.run.metered else { return };
        self.start_probes(child);
        self.pause(time);
        let mut idle = Measured::nothing("idle");
        self.stop_probes(child, &mut idle);
        let power = idle.readings.into_iter().filter(|reading| reading.unit == "W");
        let named = |reading: Reading| Reading {
            name: format!("idle_{when}_{}", reading.name),
            better: None,
            ..reading
        };
        measured.readings.extend(power.map(named));
    }
}

fn filling(sampling: Sampling, time: Duration, warm_up: &WarmUp) -> Sampling {
    let wanted = time.as_nanos() * MARGIN_PERCENT * u128::from(warm_up.repetitions.max(1));
    let needed = wanted.div_ceil(100 * u128::from(warm_up.nanoseconds.max(1)));
    let min_repetitions = sampling.min_repetitions.max(needed.min(MOST_REPETITIONS) as u32);
    let max_repetitions = sampling.max_repetitions.max(min_repetitions);
    Sampling { min_repetitions, max_repetitions, ..sampling }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_fill_the_time_and_never_become_fewer() {
        let repetitions = |seconds, nanoseconds| {
            let warm_up = WarmUp { repetitions: 2, nanoseconds, steady: true };
            let filled = filling(Sampling::default(), Duration::from_secs(seconds), &warm_up);
            (filled.min_repetitions, filled.max_repetitions)
        };
        // Two took 0.2 s: 330 are 33 s.
        assert_eq!(repetitions(30, 200_000_000), (330, 330));
        assert_eq!(repetitions(1, 200_000_000), (11, 100));
        assert_eq!(repetitions(1, 20_000_000_000), (5, 100));
        assert_eq!(repetitions(30, 0), (100_000, 100_000));
    }
}
