//! Ratios for people: which way, by how much, how sure, and what they must be held against.

use std::collections::BTreeSet;

use yardstick_analyse::{Comparison, Difference, Interval, Method, Noise, Ratio, Row, Versus};
use yardstick_api::Known;

use crate::html::label;
use crate::table::Tone;
use crate::text::elide;

/// Rows held against one baseline.
pub(crate) struct Group {
    /// Model and test: `smollm-135m:Q4_0 tg128`.
    pub(crate) what: String,
    /// The baseline and why it is the one: `cpu:avx2, the fastest`.
    pub(crate) against: String,
    pub(crate) lines: Vec<Line>,
}

/// One row against its baseline.
pub(crate) struct Line {
    pub(crate) name: String,
    /// `1.85× faster [1.79, 1.92]`.
    pub(crate) words: String,
    /// `5 pairs`, `4, 6 unpaired`: launches, with a sign where they drift.
    pub(crate) n: String,
    pub(crate) tone: Tone,
    /// Of speeds: above 1 is faster.
    pub(crate) ratio: Ratio,
    /// Smallest relative difference that could be told from noise.
    pub(crate) floor: Option<f64>,
}

/// Characters of a name.
const NAME: usize = 36;
/// Doubts told one by one.
const DOUBTS: usize = 12;

/// Every ratio, under its baseline.
pub(crate) fn groups(comparison: &Comparison) -> Vec<Group> {
    let several = comparison.varying.contains(&"machine");
    let mut groups: Vec<(usize, Group)> = Vec::new();
    for (_, row, versus) in comparison.ratios() {
        let mut line = line(comparison, row, versus);
        let other = &comparison.rows[versus.baseline];
        if other.model != row.model {
            line.name = format!("{} {}", elide(&row.model, NAME), line.name);
        }
        match groups.iter_mut().find(|(baseline, _)| *baseline == versus.baseline) {
            Some((_, group)) => group.lines.push(line),
            None => {
                let baseline = &comparison.rows[versus.baseline];
                let machine = match row.settings.get("machine") {
                    Some(machine) if several => format!(" on {}", elide(machine, NAME)),
                    _ => String::new(),
                };
                let what = format!("{} {}{machine}", elide(&baseline.model, NAME), row.cell.test);
                let against = format!("{}, {}", label(comparison, baseline), versus.choice.name());
                groups.push((versus.baseline, Group { what, against, lines: vec![line] }));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn line(comparison: &Comparison, row: &Row, versus: &Versus) -> Line {
    let speed = versus.speed();
    let tone = match versus.difference {
        Difference::Shown if speed.median >= 1.0 => Tone::Good,
        Difference::Shown => Tone::Bad,
        _ => Tone::Faint,
    };
    let drift = if versus.drift.is_some() { " drift!" } else { "" };
    let n = match (versus.ratio.paired, versus.ratio.n) {
        (true, 1) => "1 pair".to_owned(),
        (true, n) => format!("{n} pairs"),
        (false, _) => {
            let other = comparison.rows[versus.baseline].by_launch.len();
            format!("{}, {other} unpaired", row.by_launch.len())
        }
    };
    Line {
        name: label(comparison, row),
        words: words(versus),
        n: format!("{n}{drift}"),
        tone,
        ratio: speed,
        floor: versus.noise_floor.value().copied(),
    }
}

/// What a ratio shows, in words that say which way.
pub fn words(versus: &Versus) -> String {
    let speed = versus.speed();
    let places = places(&speed);
    match versus.difference {
        Difference::Shown => directed(&speed),
        Difference::NotShown => {
            format!("no difference shown: {:.places$}{}", speed.median, range(&speed, places))
        }
        Difference::BelowNoise => {
            let floor = percent(versus.noise_floor.value().copied().unwrap_or(f64::NAN));
            let range = range(&speed, places);
            format!("no difference shown: {:.places$}{range}, noise ±{floor} %", speed.median)
        }
        Difference::NoInterval => format!("{:.places$}×, not shown: n too small", speed.median),
    }
}

/// `1.85× faster [1.79, 1.92]`, `1.12× slower [1.08, 1.16]`.
pub(crate) fn directed(speed: &Ratio) -> String {
    let (ratio, word) = match speed.median >= 1.0 {
        true => (speed.clone(), "faster"),
        false => (speed.inverse(), "slower"),
    };
    let places = places(&ratio);
    format!("{:.places$}× {word}{}", ratio.median, range(&ratio, places))
}

pub(crate) fn range(ratio: &Ratio, places: usize) -> String {
    match ratio.interval.value() {
        Some(Interval { low, high, .. }) => format!(" [{low:.places$}, {high:.places$}]"),
        None => String::new(),
    }
}

/// Digits after the point: enough to tell both ends from 1 and from each other.
pub(crate) fn places(ratio: &Ratio) -> usize {
    let far = |i: &Interval| (i.high - 1.0).abs().max((i.low - 1.0).abs());
    match ratio.interval.value() {
        _ if ratio.median >= 100.0 => 0,
        _ if ratio.median >= 10.0 => 1,
        Some(interval) if far(interval) < 0.02 => 4,
        Some(interval) if far(interval) < 0.1 || interval.high - interval.low < 0.02 => 3,
        _ => 2,
    }
}

pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p < 0.1 => format!("{p:.2}"),
        p if p < 10.0 => format!("{p:.1}"),
        p => format!("{p:.0}"),
    }
}

/// What every comparison says under its ratios: how to read them, the machine's own noise, and doubts.
pub(crate) fn remarks(comparison: &Comparison) -> Vec<String> {
    let mut remarks = Vec::new();
    if comparison.ratios().next().is_none() {
        return remarks;
    }
    let unpaired = comparison.ratios().any(|(_, _, versus)| !versus.ratio.paired);
    remarks.push(format!(
        "Ratios are of speeds, medians over launches; {}.{}",
        methods(comparison),
        if unpaired { " Unpaired: measured apart, drift not excluded." } else { "" }
    ));
    for (machine, noise) in &comparison.noise {
        if let Some(floors) = floors(comparison, machine) {
            remarks.push(noise_line(comparison, machine, noise, &floors));
        }
    }
    let drifting = comparison.ratios().filter_map(|(_, row, versus)| {
        let (what, name) = (elide(&row.model, NAME), label(comparison, row));
        Some(format!("{what} {}, {name}: {}", row.cell.test, versus.drift?.describe()))
    });
    remarks.extend(drifting.take(DOUBTS));
    remarks
}

/// How the intervals were made: `95 % intervals over launches by order statistics (paired)`.
fn methods(comparison: &Comparison) -> String {
    let kind = |paired| if paired { "paired" } else { "unpaired" };
    let made: BTreeSet<String> = comparison
        .ratios()
        .filter(|(_, _, versus)| versus.ratio.method != Method::None)
        .map(|(_, _, v)| format!("{} ({})", v.ratio.method.name(), kind(v.ratio.paired)))
        .collect();
    if made.is_empty() {
        return "no interval: it needs 3 launches".to_owned();
    }
    let made: Vec<String> = made.into_iter().collect();
    format!("95 % intervals over launches by {}", made.join(", "))
}

/// Noise floors of the ratios of a machine; `None` where it has no ratio.
fn floors(comparison: &Comparison, machine: &str) -> Option<Vec<f64>> {
    let on = |row: &Row| row.settings.get("machine").is_some_and(|name| name == machine);
    let mut ratios = comparison.ratios().filter(|(_, row, _)| on(row)).peekable();
    ratios.peek()?;
    Some(ratios.filter_map(|(_, _, versus)| versus.noise_floor.value().copied()).collect())
}

/// `noise floor of this machine, measured 2026-11-20: ±1.2 % (10 launches)`.
fn noise_line(
    comparison: &Comparison,
    machine: &str,
    noise: &Known<Noise>,
    floors: &[f64],
) -> String {
    let of = match comparison.noise.len() {
        1 => "this machine".to_owned(),
        _ => elide(machine, 60),
    };
    let noise = match noise {
        Known::Value(noise) => noise,
        Known::Unavailable { unavailable } => {
            return format!("noise floor {}", elide(unavailable, 200));
        }
    };
    let low = floors.iter().copied().fold(f64::INFINITY, f64::min);
    let high = floors.iter().copied().fold(0.0, f64::max);
    let reach = match (floors.len(), percent(low), percent(high)) {
        (0, ..) => {
            return format!(
                "noise floor of {of}, measured {}: none for these devices",
                noise.measured
            );
        }
        (_, low, high) if low == high => format!("±{low} %"),
        (_, low, high) => format!("±{low} to {high} % by test and n"),
    };
    let (measured, launches) = (elide(&noise.measured, 10), noise.launches());
    let devices = elide(&noise.devices().into_iter().collect::<Vec<_>>().join(", "), 80);
    format!(
        "noise floor of {of}, measured {measured}: {reach} ({launches} launches of two copies on {devices}); less is not shown as a difference"
    )
}
