//! The probe of the window: when the timed samples ran by the clock, and what external meters read over it.

use std::time::{Instant, SystemTime};

use yardstick_record::Reading;

use super::Meters;
use crate::sensors::About;
use crate::{Error, Probe};

/// Names of the readings.
pub(super) const START: &str = "window_start_seconds";
pub(super) const SECONDS: &str = "window_seconds";

/// See the file's head.
pub(super) struct Window {
    meters: Meters,
    /// Seconds since 1970, and the clock that never jumps.
    start: Option<(f64, Instant)>,
}

impl Window {
    pub(super) fn new(meters: Meters) -> Window {
        Window { meters, start: None }
    }
}

impl Probe for Window {
    fn name(&self) -> &str {
        "window"
    }

    fn start(&mut self, _pid: u32) -> Result<(), Error> {
        self.start = Some((unix_now(), Instant::now()));
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let (from, start) = self.start.take().ok_or(Error::NotStarted { probe: "window" })?;
        let seconds = start.elapsed().as_secs_f64();
        let about = |source| About { unit: "s", source, scope: "test", better: None };
        let mut readings = vec![
            about("the system's clock, since 1970").reading(START, Ok(from)),
            about("start to end of the probes: the samples and what is between them")
                .reading(SECONDS, Ok(seconds)),
        ];
        readings.extend(self.meters.readings(from, from + seconds));
        Ok(readings)
    }
}

/// Seconds since 1970 by the system's clock.
pub(super) fn unix_now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}
