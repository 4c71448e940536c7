//! A soak: decode without a pause, one window of samples after the other, with the sensors read over each; then a rest, and one
//! window more. It begins cool and without a warm-up, so that the first seconds are the burst.

use std::time::{Duration, Instant};

use yardstick_api::{Facts, Known};
use yardstick_record::{Phase, Reading, Soak, Test, Track};

use super::super::output::Measured;
use super::Measuring;
use super::cell::End;
use super::disturbed::mark;
use crate::child::{CallError, Child, Partial};
use crate::protocol::{Answer, Call};
use crate::suite::Sampling;

/// A soak, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoakPlan {
    /// How long to decode.
    pub time: Duration,
    /// How long to rest before it and after it.
    pub rest: Duration,
}

/// A point of the sensors' tracks: long enough for most energy counters.
const WINDOW: Sampling = Sampling {
    min_repetitions: 1,
    max_repetitions: 100_000,
    max_seconds: 5.0,
    interval: 0.0,
    warm_up_seconds: 0.0,
};
/// Units of what changes over a soak.
const UNITS: [&str; 3] = ["W", "°C", "MHz"];

impl Measuring<'_, '_, '_> {
    /// Measures it. What a cancelled one has measured stays.
    pub(super) fn soak(
        &mut self,
        child: &mut Child,
        test: Test,
        plan: SoakPlan,
        measured: &mut Measured,
    ) -> End {
        measured.warm_up = Known::unavailable("a soak begins without a warm-up");
        measured.soak = Some(Soak {
            asked_seconds: plan.time.as_secs_f64(),
            cool_down: format!(
                "idle for {} s with the model loaded, whatever its temperature was",
                plan.rest.as_secs()
            ),
            rest_seconds: plan.rest.as_secs_f64(),
            after_rest: 0,
            tracks: Vec::new(),
        });
        match self.windows(child, test, plan, measured) {
            Ok((elapsed, facts)) => End::Sampled(elapsed, Box::new(facts)),
            Err(error) => End::Error(error),
        }
    }

    fn windows(
        &mut self,
        child: &mut Child,
        test: Test,
        plan: SoakPlan,
        measured: &mut Measured,
    ) -> Result<(Duration, Facts), CallError> {
        self.prepare(child, test)?;
        self.pause(plan.rest);
        self.phase(Phase::Sample, Some(test));
        let start = Instant::now();
        let (mut elapsed, mut facts) = self.window(child, test, start, measured)?;
        while start.elapsed() < plan.time {
            let (more, newer) = self.window(child, test, start, measured)?;
            (elapsed, facts) = (elapsed + more, newer);
        }
        let before = measured.samples.len();
        self.pause(plan.rest);
        let (more, _) = self.window(child, test, start, measured)?;
        if let Some(soak) = &mut measured.soak {
            soak.after_rest = measured.samples.len() - before;
        }
        Ok((elapsed + more, facts))
    }

    /// One window: its samples, and a point on each track.
    fn window(
        &mut self,
        child: &mut Child,
        test: Test,
        start: Instant,
        measured: &mut Measured,
    ) -> Result<(Duration, Facts), CallError> {
        let mut window = Measured::nothing("a window of a soak");
        self.start_probes(child);
        let begun = Instant::now();
        let samples = &mut window.samples;
        let call = Call::Sample { test, sampling: WINDOW };
        let answer = child.call(call, Phase::Sample, self.run.cancel, &mut |partial| {
            if let Partial::Samples(new) = partial {
                samples.extend(new);
            }
        });
        let elapsed = begun.elapsed();
        self.stop_probes(child, &mut window);
        mark(&mut window.samples, &window.readings, window.timeline.as_ref());
        let at = (begun - start + elapsed / 2).as_secs_f64();
        if let Some(soak) = &mut measured.soak {
            track(&mut soak.tracks, at, &window.readings);
        }
        let n = window.samples.len();
        measured.samples.append(&mut window.samples);
        match answer? {
            Answer::Sampled { repetitions, facts } if repetitions as usize == n => {
                Ok((elapsed, facts))
            }
            other => Err(child.unexpected(Phase::Sample, &other)),
        }
    }
}

/// Adds a point to the track of each reading that has a value.
fn track(tracks: &mut Vec<Track>, at: f64, readings: &[Reading]) {
    for reading in readings.iter().filter(|reading| UNITS.contains(&reading.unit.as_str())) {
        let Some(&value) = reading.value.value() else { continue };
        match tracks.iter_mut().find(|track| track.name == reading.name) {
            Some(track) => track.points.push((at, value)),
            None => tracks.push(Track {
                name: reading.name.clone(),
                unit: reading.unit.clone(),
                points: vec![(at, value)],
            }),
        }
    }
}
