//! A machine that others use: marks, a timeline on the samples' clock, and refusal where it was asked for.

use std::time::Instant;

use yardstick_probes::{Error, Probe};
use yardstick_record::{Outcome, Reading, Track};

use crate::bench::Bench;

/// Sees the hypervisor take half of the machine all of the time.
#[derive(Default)]
struct Robbed(Option<Instant>);

impl Probe for Robbed {
    fn name(&self) -> &str {
        "robbed"
    }

    fn start(&mut self, _pid: u32) -> Result<(), Error> {
        self.0 = Some(Instant::now());
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        Ok(Vec::new())
    }

    fn timeline(&mut self) -> Option<(Instant, Vec<Track>)> {
        let start = self.0.take()?;
        let points = vec![(start.elapsed().as_secs_f64() + 0.1, 50.0)];
        let track = Track { name: "steal_percent".to_owned(), unit: "%".to_owned(), points };
        Some((start, vec![track]))
    }
}

pub(crate) fn refused_when_strict() {
    let mut bench = Bench::new(&["null:ok"], &["tg4"], true);
    bench.probes = || vec![Box::new(Robbed::default())];
    let (summary, kept) = bench.run();
    assert_eq!((summary.ok, summary.invalid), (1, 0));
    let record = &kept.records[0];
    assert_eq!(record.outcome, Outcome::Ok);
    for sample in &record.samples {
        assert_eq!(sample.marks, ["starved: steal 50 %"], "{sample:?} {:?}", record.timeline);
        let line = record.timeline.as_ref().unwrap();
        let from = sample.started_ns as i64 - line.started_ns;
        let end = (line.tracks[0].points[0].0 * 1e9) as i64;
        assert!(0 <= from && from < end, "a sample lies within the watch, {from} of {end}");
    }
    bench.strict = true;
    let (summary, kept) = bench.run();
    assert_eq!((summary.ok, summary.invalid), (0, 1));
    let Outcome::Invalid { reason } = &kept.records[0].outcome else {
        panic!("{:?}", kept.records[0].outcome);
    };
    let n = kept.records[0].samples.len();
    assert!(reason.starts_with(&format!("disturbed: {n} of {n} samples are marked")), "{reason}");
    assert!(reason.contains("steal 50 %") && reason.contains("--strict"), "{reason}");
}
