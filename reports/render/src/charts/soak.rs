//! The curves of soaks: speed over the time, and below it power, temperature and clocks where they were read.

use yardstick_analyse::SoakCurve;

use super::panels::{Curve, panels};
use super::{Chart, chart};
use crate::text::elide;

/// Panels in their order, by unit.
const PANELS: [&str; 4] = [SPEED, "W", "°C", "MHz"];
const SPEED: &str = "tokens/s";
/// Curves of one panel.
const MOST: usize = 8;
/// Characters of a name.
const LONG: usize = 34;

/// A chart for each soak.
pub(super) fn charts(soaks: &[SoakCurve]) -> Vec<Chart> {
    soaks.iter().map(one).collect()
}

fn one(soak: &SoakCurve) -> Chart {
    let what = format!("{} on {}", elide(&soak.model, LONG), elide(&soak.device, LONG));
    let title = format!("Soak of {what}: speed and sensors over time");
    let shown: Vec<(&str, Vec<Curve<'_>>)> = PANELS
        .iter()
        .map(|unit| (*unit, curves(soak, unit)))
        .filter(|(_, curves)| !curves.is_empty())
        .collect();
    let seconds = soak.tracks.iter().flat_map(|track| track.points.last()).map(|(at, _)| *at);
    let drawn = panels(&title, seconds.fold(soak.seconds, f64::max), &shown);
    let caption = format!("{title}. The last points of the sensors were read after the rest.");
    chart(title, caption, drawn)
}

fn curves<'s>(soak: &'s SoakCurve, unit: &str) -> Vec<Curve<'s>> {
    if unit == SPEED {
        return vec![Curve { name: "decode".to_owned(), points: &soak.points }];
    }
    let tracks = soak.tracks.iter().filter(|track| track.unit == unit && !track.points.is_empty());
    tracks
        .take(MOST)
        .map(|track| Curve { name: elide(&track.name, LONG), points: &track.points })
        .collect()
}
