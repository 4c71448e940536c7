//! Disturbances: samples during which others had the machine or heat slowed it, told by outside evidence alone, never by a
//! sample's own value. They are marked, never dropped.

use std::time::{Duration, Instant};

use yardstick_record::{Reading, Sample, Timeline, Track};

use super::super::output::now;

/// What speaks against samples: a reading and the track of the same name, above which value, and in which words.
struct Evidence {
    name: &'static str,
    limit: f64,
    /// How the spans of a sample come to one value.
    over: fn(&Track, f64, f64) -> Option<f64>,
    words: fn(f64) -> String,
}

const EVIDENCE: [Evidence; 3] = [
    Evidence {
        name: "steal_percent",
        limit: 5.0,
        over: mean,
        words: |share| format!("starved: steal {share:.0} %"),
    },
    Evidence {
        name: "foreign_cpu_percent",
        limit: 10.0,
        over: mean,
        words: |share| format!("starved: other processes {share:.0} %"),
    },
    Evidence {
        name: "cpu_throttle_events",
        limit: 0.0,
        over: sum,
        words: |n| format!("throttled: {n:.0} thermal events"),
    },
];

/// Share of marked samples above which a result is disturbed as a whole.
const MOST_MARKED: f64 = 0.2;

/// Marks samples by the spans they ran in; where nobody watched from moment to moment, all of them by the test's readings.
pub(in super::super) fn mark(
    samples: &mut [Sample],
    readings: &[Reading],
    timeline: Option<&Timeline>,
) {
    for evidence in &EVIDENCE {
        let track = timeline.and_then(|line| Some((line, line.track(evidence.name)?)));
        let reading = readings.iter().find(|reading| reading.name == evidence.name);
        let whole = reading.and_then(|reading| reading.value.value()).copied();
        for sample in &mut *samples {
            let of_sample = track.and_then(|(line, track)| {
                let from = seconds(sample.started_ns, line);
                (evidence.over)(track, from, from + sample.nanoseconds as f64 / 1e9)
            });
            if let Some(value) = of_sample.or(whole).filter(|value| *value > evidence.limit) {
                sample.marks.push((evidence.words)(value));
            }
        }
    }
    mark_shared(samples, readings);
}

/// Marks all samples where other processes computed on the worker's own board: it tells so only of a board that the worker is on.
fn mark_shared(samples: &mut [Sample], readings: &[Reading]) {
    let of_board = |name: &str| name.starts_with("nvml_") && name.ends_with("_other_processes");
    let others = readings.iter().filter(|reading| of_board(&reading.name));
    let most = others.filter_map(|reading| reading.value.value().copied()).fold(0.0, f64::max);
    if most > 0.0 {
        let mark = format!("shared: {most:.0} other processes computed on the board");
        samples.iter_mut().for_each(|sample| sample.marks.push(mark.clone()));
    }
}

/// Why a result is disturbed as a whole: how many of its samples are marked, and the first mark.
pub(super) fn disturbed(samples: &[Sample]) -> Option<String> {
    let marked = samples.iter().filter(|sample| !sample.marks.is_empty()).count();
    let first = samples.iter().find_map(|sample| sample.marks.first())?;
    let all = samples.len();
    (marked as f64 > MOST_MARKED * all as f64)
        .then(|| format!("disturbed: {marked} of {all} samples are marked, the first: {first}"))
}

/// What a probe saw, on the clock of the samples that were taken between its start and now by the worker that was greeted then.
///
/// The parent hears of a hello later than the worker's clock begins, on a busy machine much later. That samples lie between
/// the watch's ends narrows down where the clock began.
pub(super) fn timeline(
    greeted: Instant,
    samples: &[Sample],
    (start, tracks): (Instant, Vec<Track>),
) -> Timeline {
    let watched = start.elapsed();
    let heard_ns = since(greeted, start);
    let first = samples.iter().map(|sample| sample.started_ns).min().unwrap_or(u64::MAX);
    let last = samples.iter().map(|sample| sample.started_ns.saturating_add(sample.nanoseconds));
    let signed = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    let latest = signed(first);
    let earliest = last.max().map_or(i64::MIN, |end| signed(end).saturating_sub(whole(watched)));
    let started = watched
        .try_into()
        .ok()
        .and_then(|ago: jiff::SignedDuration| jiff::Timestamp::now().checked_sub(ago).ok());
    Timeline {
        started: started.map_or_else(now, |at| at.to_string()),
        // A worker whose stamps fit nowhere is found out elsewhere.
        started_ns: heard_ns.max(earliest).min(latest),
        tracks,
    }
}

fn whole(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Nanoseconds from one time to another, negative where that was before.
fn since(from: Instant, to: Instant) -> i64 {
    match to.checked_duration_since(from) {
        Some(after) => whole(after),
        None => -whole(from - to),
    }
}

/// A sample's start in the timeline's seconds.
fn seconds(started_ns: u64, line: &Timeline) -> f64 {
    (started_ns as f64 - line.started_ns as f64) / 1e9
}

/// Spans that a time shares with a track, each as seconds shared and value.
fn shared(track: &Track, from: f64, to: f64) -> impl Iterator<Item = (f64, f64)> {
    let starts = std::iter::once(0.0).chain(track.points.iter().map(|point| point.0));
    starts
        .zip(&track.points)
        .map(move |(start, &(end, value))| (end.min(to) - start.max(from), value))
        .filter(|(seconds, _)| *seconds > 0.0)
}

/// Of a share: its mean over the time.
fn mean(track: &Track, from: f64, to: f64) -> Option<f64> {
    let (seconds, area) = shared(track, from, to)
        .fold((0.0, 0.0), |(seconds, area), (shared, value)| {
            (seconds + shared, area + shared * value)
        });
    (seconds > 0.0).then(|| area / seconds)
}

/// Of a count: all of the spans' events, since none can be told to have come before or after.
fn sum(track: &Track, from: f64, to: f64) -> Option<f64> {
    let values: Vec<f64> = shared(track, from, to).map(|(_, value)| value).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use yardstick_api::Known;

    fn samples(starts_ms: &[u64], ms: u64) -> Vec<Sample> {
        let one = |&start: &u64| Sample {
            started_ns: (start + 1000) * 1_000_000,
            nanoseconds: ms * 1_000_000,
            tokens: 1,
            cpu_ns: None,
            emits_ns: vec![],
            marks: vec![],
        };
        starts_ms.iter().map(one).collect()
    }

    /// Began a second after the hello.
    fn line(name: &str, points: &[(f64, f64)]) -> Timeline {
        let track = Track { name: name.into(), unit: "%".into(), points: points.to_vec() };
        Timeline { started: String::new(), started_ns: 1_000_000_000, tracks: vec![track] }
    }

    fn reading(name: &str, value: f64) -> Reading {
        Reading {
            name: name.into(),
            value: Known::Value(value),
            unit: "%".into(),
            better: None,
            source: "a test".into(),
            scope: "machine".into(),
            precision: None,
        }
    }

    fn marks(samples: &[Sample]) -> Vec<String> {
        samples.iter().map(|sample| sample.marks.join(", ")).collect()
    }

    #[test]
    fn only_samples_of_the_disturbed_spans_are_marked() {
        let line = line("foreign_cpu_percent", &[(0.2, 0.0), (0.4, 60.0), (0.6, 0.0)]);
        // In the first span, across its end by a tenth, in the second, after the last.
        let mut found = samples(&[0, 135, 250, 700], 72);
        mark(&mut found, &[reading("foreign_cpu_percent", 12.0)], Some(&line));
        // 7 of 72 ms at 60 % are 6 %, not above the limit. The last one is judged by the reading of the whole test.
        assert_eq!(
            marks(&found),
            ["", "", "starved: other processes 60 %", "starved: other processes 12 %"]
        );
    }

    #[test]
    fn events_count_for_every_sample_of_their_span() {
        let line = line("cpu_throttle_events", &[(0.2, 0.0), (0.4, 2.0)]);
        let mut found = samples(&[0, 190, 390], 20);
        mark(&mut found, &[], Some(&line));
        let heat = "throttled: 2 thermal events";
        assert_eq!(marks(&found), ["", heat, heat]);
    }

    #[test]
    fn without_a_timeline_the_readings_of_the_test_mark_all_of_it() {
        let mut found = samples(&[0, 100], 50);
        mark(&mut found, &[reading("steal_percent", 7.0)], None);
        assert_eq!(marks(&found), ["starved: steal 7 %"; 2]);
        let mut quiet = samples(&[0, 100], 50);
        mark(&mut quiet, &[reading("steal_percent", 5.0)], None);
        assert_eq!(marks(&quiet), [""; 2]);
    }

    #[test]
    fn others_on_the_workers_own_board_mark_all_of_it() {
        let of = |others: f64| {
            let mut found = samples(&[0, 100], 50);
            let boards = [
                reading("nvml_0_other_processes", 0.0),
                reading("nvml_1_other_processes", others),
                reading("nvml_1_busy_percent", 97.0),
            ];
            mark(&mut found, &boards, None);
            marks(&found)
        };
        assert_eq!(of(0.0), [""; 2]);
        assert_eq!(of(2.0), ["shared: 2 other processes computed on the board"; 2]);
    }

    #[test]
    fn more_than_a_fifth_of_marked_samples_disturb_a_result() {
        let mut found = samples(&[0, 1, 2, 3, 4], 1);
        assert_eq!(disturbed(&found), None);
        found[1].marks.push("starved: steal 9 %".into());
        assert_eq!(disturbed(&found), None, "one of five is a fifth");
        found[3].marks.push("throttled".into());
        let words = disturbed(&found).unwrap();
        assert_eq!(words, "disturbed: 2 of 5 samples are marked, the first: starved: steal 9 %");
        assert_eq!(disturbed(&[]), None);
    }

    #[test]
    fn a_watch_is_on_the_clock_of_its_samples_however_late_the_hello_was_heard() {
        let ms = Duration::from_millis;
        let start = Instant::now().checked_sub(ms(400)).unwrap();
        let at = |greeted: Instant, samples: &[Sample]| {
            timeline(greeted, samples, (start, vec![])).started_ns
        };
        // Nobody measured anything: as it was heard.
        assert_eq!(at(start - ms(250), &[]), 250_000_000);
        assert_eq!(at(start + ms(250), &[]), -250_000_000);
        // The watch ran for 400 ms, the samples from 1000 to 1350 ms on their clock: it began from 950 to 1000 ms on it.
        let found = samples(&[0, 300], 50);
        assert_eq!(at(start - ms(980), &found), 980_000_000);
        assert_eq!(at(start - ms(1200), &found), 1_000_000_000);
        let latest = at(start - ms(700), &found);
        assert!((930_000_000..=950_000_000).contains(&latest), "{latest}");
    }
}
