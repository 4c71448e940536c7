//! The curve of a soak: burst, first minute and sustained speed, when it slowed down, and whether a rest brought it back.

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::{Record, Sample, Track};

/// The burst: a phone or a fanless board keeps up for about so long.
const BURST_SECONDS: f64 = 5.0;
/// What people try out.
const MINUTE: f64 = 60.0;
/// Shorter soaks tell nothing that is sustained, seconds.
const LEAST_SUSTAINED: f64 = 120.0;
/// The last part of a soak, over which its speed is sustained.
const LAST_PART: f64 = 0.25;
/// Below this share of its burst for the rest of the soak it has throttled.
const THROTTLED: f64 = 0.95;
/// Windows in which slowing down is looked for, seconds.
const LOOK: f64 = 10.0;
/// Points of the curve at most.
const MOST_POINTS: f64 = 300.0;

/// One soak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoakCurve {
    /// The device, with its build.
    pub device: String,
    /// The model.
    pub model: String,
    /// The id of its record.
    pub record: String,
    /// Seconds it lasted.
    pub seconds: f64,
    /// Middle of a window in seconds, and tokens/s in it.
    pub points: Vec<(f64, f64)>,
    /// Tokens/s over the first 5 s.
    pub burst: Known<f64>,
    /// Tokens/s over the first minute.
    pub first_minute: Known<f64>,
    /// Tokens/s over the last quarter.
    pub sustained: Known<f64>,
    /// Seconds after which it stayed below 95 % of its burst.
    pub throttled_after: Known<f64>,
    /// Speed after the rest, as a share of the burst.
    pub recovered: Known<f64>,
    /// How it cooled down before.
    pub cool_down: String,
    /// Seconds of that rest.
    pub rest_seconds: f64,
    /// What the sensors read.
    pub tracks: Vec<Track>,
    /// Why it ended early, if it did.
    pub cut_short: Option<String>,
}

/// The soaks among records, the fastest in the long run first. Interrupted ones are kept: what was measured is true.
pub fn soaks(records: &[Record]) -> Vec<SoakCurve> {
    let mut curves: Vec<SoakCurve> = records.iter().filter_map(curve).collect();
    let sustained = |curve: &SoakCurve| curve.sustained.value().copied().unwrap_or(0.0);
    curves.sort_by(|a, b| sustained(b).total_cmp(&sustained(a)));
    curves
}

fn curve(record: &Record) -> Option<SoakCurve> {
    let soak = record.soak.as_ref()?;
    let end = record.samples.len().checked_sub(soak.after_rest)?;
    let (samples, after) = record.samples.split_at(end);
    let run = Run::of(samples)?;
    let burst = run.speed(0.0, BURST_SECONDS).ok_or("no samples in the first 5 s");
    let short =
        |least: f64| format!("the soak lasted {:.0} s, this takes {least:.0} s", run.seconds);
    let first_minute = if run.seconds >= MINUTE { run.speed(0.0, MINUTE) } else { None };
    let from = run.seconds * (1.0 - LAST_PART);
    let long = run.seconds >= LEAST_SUSTAINED;
    let sustained = if long { run.speed(from, run.seconds) } else { None };
    let device = match &record.cell.build {
        Some(build) => format!("{} {build}", record.cell.device),
        None => record.cell.device.clone(),
    };
    Some(SoakCurve {
        device,
        model: record.cell.model.name.clone(),
        record: record.id.clone(),
        seconds: run.seconds,
        points: run.points(),
        throttled_after: match burst {
            Ok(burst) if run.seconds >= MINUTE => run.throttled(burst),
            Ok(_) => Known::unavailable(short(MINUTE)),
            Err(reason) => Known::unavailable(reason),
        },
        recovered: match (burst, Run::of(after).and_then(|after| after.speed(0.0, f64::INFINITY))) {
            (Ok(burst), Some(speed)) => Known::Value(speed / burst),
            _ => Known::unavailable("nothing was measured after a rest"),
        },
        burst: burst.map_or_else(Known::unavailable, Known::Value),
        first_minute: first_minute.map_or_else(|| Known::unavailable(short(MINUTE)), Known::Value),
        sustained: sustained
            .map_or_else(|| Known::unavailable(short(LEAST_SUSTAINED)), Known::Value),
        cool_down: soak.cool_down.clone(),
        rest_seconds: soak.rest_seconds,
        tracks: soak.tracks.clone(),
        cut_short: (!record.outcome.is_ok()).then(|| crate::describe(&record.outcome)),
    })
}

/// Samples in the order of time, from the start of the first.
struct Run<'s> {
    samples: &'s [Sample],
    start: u64,
    seconds: f64,
}

impl Run<'_> {
    fn of(samples: &[Sample]) -> Option<Run<'_>> {
        let (first, last) = (samples.first()?, samples.last()?);
        let end = last.started_ns.saturating_add(last.nanoseconds);
        let seconds = end.saturating_sub(first.started_ns) as f64 / 1e9;
        Some(Run { samples, start: first.started_ns, seconds })
    }

    /// Tokens per second of decode, over the samples that started in this time.
    fn speed(&self, from: f64, to: f64) -> Option<f64> {
        let at = |sample: &&Sample| sample.started_ns.saturating_sub(self.start) as f64 / 1e9;
        let inside = || self.samples.iter().filter(|sample| (from..to).contains(&at(sample)));
        let tokens: u64 = inside().map(|sample| sample.tokens).sum();
        let nanoseconds: u64 = inside().map(|sample| sample.nanoseconds).sum();
        (nanoseconds > 0).then(|| tokens as f64 * 1e9 / nanoseconds as f64)
    }

    /// Middles of windows, and the speed in each that has samples.
    fn windows(&self, width: f64) -> Vec<(f64, f64)> {
        let n = (self.seconds / width).ceil() as usize;
        let window = |index| {
            let from = index as f64 * width;
            Some((from + width / 2.0, self.speed(from, from + width)?))
        };
        (0..n).filter_map(window).collect()
    }

    fn points(&self) -> Vec<(f64, f64)> {
        self.windows((self.seconds / MOST_POINTS).max(1.0))
    }

    /// From when on every window was slow.
    fn throttled(&self, burst: f64) -> Known<f64> {
        let windows = self.windows(LOOK);
        let slow = windows.iter().rev().take_while(|(_, speed)| *speed < THROTTLED * burst);
        match slow.last() {
            Some((middle, _)) => Known::Value(middle - LOOK / 2.0),
            None => Known::unavailable(format!(
                "it ended above {:.0} % of its burst",
                THROTTLED * 100.0
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half-second samples: `speed(t)` tokens/s.
    fn samples(seconds: f64, speed: impl Fn(f64) -> f64) -> Vec<Sample> {
        let n = (seconds / 0.5) as u64;
        let sample = |index: u64| Sample {
            started_ns: 7_000_000_000 + index * 500_000_000,
            nanoseconds: 500_000_000,
            tokens: (speed(index as f64 * 0.5) * 0.5) as u64,
            cpu_ns: None,
            emits_ns: Vec::new(),
            marks: Vec::new(),
        };
        (0..n).map(sample).collect()
    }

    #[test]
    fn a_device_that_throttles_after_a_minute_and_a_half_is_told_so() {
        let samples = samples(300.0, |t| if t < 90.0 { 100.0 } else { 60.0 });
        let run = Run::of(&samples).unwrap();
        assert_eq!(run.seconds, 300.0);
        assert_eq!(run.speed(0.0, 5.0), Some(100.0));
        assert_eq!(run.speed(225.0, 300.0), Some(60.0));
        assert_eq!(run.throttled(100.0), Known::Value(90.0));
        assert_eq!(run.points().len(), 300);
    }

    #[test]
    fn a_dip_that_passes_is_no_throttling() {
        let samples = samples(100.0, |t| if (30.0..50.0).contains(&t) { 50.0 } else { 100.0 });
        let run = Run::of(&samples).unwrap();
        assert!(run.throttled(100.0).reason().unwrap().contains("above 95 %"));
        assert!(Run::of(&[]).is_none());
    }
}
