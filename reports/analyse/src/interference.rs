//! Interference: what else a machine did while the tests of a run were measured, one after the other.

use std::collections::BTreeMap;

use yardstick_record::{Record, Track};

use crate::row::machine;

/// Points of a track that pictures are drawn from; of more, the highest of each stretch.
const MOST_POINTS: usize = 600;

/// The watched time of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Interference {
    /// The run's id.
    pub run: String,
    /// The machine.
    pub machine: String,
    /// Time watched: of samples and what is between them, not of loading and warming up.
    pub seconds: f64,
    /// Points at seconds of the watched time.
    pub tracks: Vec<Track>,
    /// Samples, and those that something speaks against.
    pub samples: usize,
    /// Of the latter.
    pub marked: usize,
}

/// Of each run that was watched, in the order of their ids.
pub fn interference(records: &[Record]) -> Vec<Interference> {
    let mut runs: BTreeMap<(&str, String), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.timeline.is_some()) {
        runs.entry((&record.run.id, machine(record))).or_default().push(record);
    }
    runs.into_iter().map(|((run, machine), records)| of_run(run, machine, records)).collect()
}

fn of_run(run: &str, machine: String, mut records: Vec<&Record>) -> Interference {
    let started = |record: &&Record| record.timeline.as_ref().map(|line| line.started.clone());
    records.sort_by_key(started);
    let (mut seconds, mut tracks): (f64, Vec<Track>) = (0.0, Vec::new());
    for line in records.iter().filter_map(|record| record.timeline.as_ref()) {
        for track in &line.tracks {
            let points = track.points.iter().map(|(at, value)| (seconds + at, *value));
            match tracks.iter_mut().find(|known| known.name == track.name) {
                Some(known) => known.points.extend(points),
                None => tracks.push(Track { points: points.collect(), ..track.clone() }),
            }
        }
        let last = line.tracks.iter().filter_map(|track| Some(track.points.last()?.0));
        seconds += last.fold(0.0, f64::max);
    }
    tracks.iter_mut().for_each(|track| thin(&mut track.points));
    let samples = || records.iter().flat_map(|record| &record.samples);
    Interference {
        run: run.to_owned(),
        machine,
        seconds,
        tracks,
        samples: samples().count(),
        marked: samples().filter(|sample| !sample.marks.is_empty()).count(),
    }
}

/// The highest of each stretch: what disturbs must not be thinned away.
fn thin(points: &mut Vec<(f64, f64)>) {
    let stretch = points.len().div_ceil(MOST_POINTS).max(1);
    let highest =
        |points: &[(f64, f64)]| points.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    *points = points.chunks(stretch).filter_map(highest).collect();
}
