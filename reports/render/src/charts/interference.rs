//! The pictures of interference: what else the machine did while a run's tests were measured.

use yardstick_analyse::{Interference, interference};
use yardstick_record::{Record, Track};

use super::panels::{Curve, panels};
use super::{Chart, MOST, chart};
use crate::text::elide;

/// A panel for each unit that has something to tell, in this order.
const PANELS: [&str; 5] = ["%", "MHz", "°C", "events", "faults"];
/// Counts that nothing disturbed stay at zero: a flat line is no picture.
const COUNTS: [&str; 2] = ["events", "faults"];
/// Characters of a name.
const LONG: usize = 60;

/// A picture of each run that was watched.
pub(crate) fn pictures(records: &[Record]) -> Vec<Chart> {
    let mut charts: Vec<Chart> = interference(records).iter().rev().take(MOST).map(one).collect();
    charts.reverse();
    if let Some(first) = charts.first_mut() {
        first.heading = Some("What else the machine did");
    }
    charts
}

fn one(seen: &Interference) -> Chart {
    let title = match seen.marked {
        0 => format!("Nothing disturbed the {} samples of run {}", seen.samples, seen.run),
        marked => {
            format!("{marked} of the {} samples of run {} are marked", seen.samples, seen.run)
        }
    };
    let title = elide(&title, 2 * LONG);
    let shown: Vec<(&str, Vec<Curve<'_>>)> = PANELS
        .iter()
        .map(|unit| (*unit, curves(seen, unit)))
        .filter(|(_, curves)| !curves.is_empty())
        .collect();
    let drawn = panels(&title, seen.seconds, &shown);
    let caption = format!(
        "{title}. {}, the watched time only: samples and what is between them, tests one after the other. Shares are of all cores' \
         time; worker: the process that is measured, foreign: all others, steal: what the hypervisor gave to others.",
        elide(&seen.machine, LONG)
    );
    chart(title, caption, drawn)
}

fn curves<'s>(seen: &'s Interference, unit: &str) -> Vec<Curve<'s>> {
    let told = |track: &&Track| {
        let moves = track.points.iter().any(|(_, value)| *value > 0.0);
        track.unit == unit && (moves || !COUNTS.contains(&unit))
    };
    let tracks = seen.tracks.iter().filter(told);
    tracks.map(|track| Curve { name: name(&track.name), points: &track.points }).collect()
}

/// `foreign cpu` of `foreign_cpu_percent`.
fn name(name: &str) -> String {
    let ends = ["_percent", "_mhz", "_celsius"];
    let short = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    elide(&short.replace('_', " "), LONG)
}
