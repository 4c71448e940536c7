//! The join itself: cells of all sides under one key, their metrics held against the first side's.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use yardstick_api::Known;
use yardstick_record::Metric;

use super::effect::{Measured, shift};
use super::key::{Key, Rule, varying};
use super::{About, Line, Lone, Refusal, Side, Sides, lone, refusal};
use crate::{Brief, Difference, Estimate, LaunchValue, Method, Noise, UnitOfStatistics, estimate};

/// Records of one key, a list a side.
pub(super) type Cells<'a> = BTreeMap<Key, Vec<Vec<&'a Brief>>>;

pub(super) fn join(sides: &[Side], noise: &[Noise], insist: bool) -> Result<Sides, Refusal> {
    refusal::empty(sides)?;
    let rule = Rule::of(sides.iter().map(|side| side.by), insist);
    let cells = cells(sides, &rule);
    if !insist {
        refusal::unlike(sides, &rule, &cells)?;
    }
    let with_numbers = |lists: &[Vec<&Brief>]| lists.iter().flatten().any(|b| b.trouble.is_none());
    let told = varying(cells.iter().filter(|(_, lists)| with_numbers(lists)).map(|(key, _)| key));
    let (mut lines, mut lone) = (Vec::new(), Vec::new());
    for (key, by_side) in &cells {
        let Some(first) = by_side.iter().flatten().next() else { continue };
        let name = rule.name(first, key, &told);
        let machine = &first.machine;
        let noise = noise.iter().find(|noise| noise.machine == *machine);
        lines.extend(metrics(by_side).into_iter().filter_map(|m| line(&name, m, by_side, noise)));
        lone.extend(lone::of(sides, &cells, key, by_side, &name));
    }
    if lines.is_empty() {
        return Err(Refusal::Nothing { lone: lone.iter().map(Lone::words).collect() });
    }
    lines.sort_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal));
    lone.sort();
    let remarks = lone::remarks(sides);
    Ok(Sides { sides: sides.iter().map(About::of).collect(), lines, lone, remarks })
}

fn cells<'a>(sides: &'a [Side], rule: &Rule) -> Cells<'a> {
    let mut cells: Cells<'a> = BTreeMap::new();
    for (at, side) in sides.iter().enumerate() {
        let mut seen = HashSet::new();
        for brief in
            side.briefs.iter().filter(|brief| brief.id.is_empty() || seen.insert(&brief.id))
        {
            let by_side =
                cells.entry(rule.key(brief)).or_insert_with(|| vec![Vec::new(); sides.len()]);
            by_side[at].push(brief);
        }
    }
    for list in cells.values_mut().flatten() {
        list.sort_by_key(|brief| (&brief.run, brief.launch, &brief.id));
    }
    cells
}

/// Metrics that some side has.
fn metrics(by_side: &[Vec<&Brief>]) -> BTreeSet<Metric> {
    by_side.iter().flatten().flat_map(|brief| brief.values.keys().copied()).collect()
}

/// Those whose numbers count: none where one ran in the wrong place or answered wrongly.
fn counting<'a>(briefs: &'a [&'a Brief]) -> impl Iterator<Item = &'a Brief> {
    let spoilt = briefs.iter().any(|brief| brief.spoils);
    briefs.iter().copied().filter(move |brief| !spoilt && brief.trouble.is_none())
}

/// Why a side has no numbers of the cell, where it has records of it.
pub(super) fn trouble(briefs: &[&Brief]) -> Option<String> {
    let worst = briefs.iter().find(|brief| brief.spoils);
    let first = worst.or(briefs.iter().find(|brief| brief.trouble.is_some()))?;
    (counting(briefs).next().is_none()).then(|| first.trouble.clone().unwrap_or_default())
}

/// `None` where fewer than two sides have it, or the first has not.
fn line(
    name: &super::Name,
    metric: Metric,
    by_side: &[Vec<&Brief>],
    noise: Option<&Noise>,
) -> Option<Line> {
    let measured: Vec<Option<Measured<'_>>> = by_side.iter().map(|list| of(metric, list)).collect();
    let baseline = measured.first()?.as_ref()?;
    if measured.iter().flatten().count() < 2 {
        return None;
    }
    let against =
        |side: &Option<Measured<'_>>| shift(metric, name.test, side.as_ref()?, baseline, noise);
    let shifts =
        measured.iter().enumerate().map(|(at, side)| if at == 0 { None } else { against(side) });
    let value = |(side, list): (&Option<Measured<'_>>, &Vec<&Brief>)| match side {
        Some(measured) => Known::Value(measured.estimate.clone()),
        None => Known::unavailable(trouble(list).unwrap_or_else(|| "not measured".to_owned())),
    };
    Some(Line {
        cell: name.clone(),
        metric,
        unit: metric.unit(),
        better: metric.direction(),
        headline: by_side.iter().flatten().next().is_some_and(|b| b.headline() == metric),
        shifts: shifts.collect(),
        values: measured.iter().zip(by_side).map(value).collect(),
        records: by_side.iter().map(|list| list.iter().map(|b| b.id.clone()).collect()).collect(),
    })
}

fn of<'a>(metric: Metric, briefs: &'a [&'a Brief]) -> Option<Measured<'a>> {
    let with = || counting(briefs).filter_map(|brief| Some((brief, brief.values.get(&metric)?)));
    let launches: Vec<LaunchValue> = with()
        .map(|(brief, value)| LaunchValue {
            run: brief.run.clone(),
            launch: brief.launch,
            group: brief.group.clone(),
            value: value.median,
        })
        .collect();
    let values: Vec<Vec<f64>> = launches.iter().map(|launch| vec![launch.value]).collect();
    let mut found = estimate(&values)?;
    if metric.is_score() {
        // A score is the same in each launch; what is uncertain are the positions it was asked on.
        let widest = with().filter_map(|(_, value)| value.interval);
        found =
            of_score(found, widest.max_by(|a, b| (a.high - a.low).total_cmp(&(b.high - b.low))));
    } else if launches.len() == 1 {
        found.unit_of_statistics = UnitOfStatistics::Launches;
        found.interval = Known::unavailable("n too small: 1 launch, an interval needs 3");
    }
    Some(Measured { device: &briefs.first()?.device, launches, estimate: found })
}

fn of_score(found: Estimate, interval: Option<crate::Interval>) -> Estimate {
    Estimate {
        method: if interval.is_some() { Method::Normal } else { Method::None },
        interval: interval.map_or_else(|| Known::unavailable("no standard error"), Known::Value),
        unit_of_statistics: UnitOfStatistics::PositionsOrAnswers,
        ..found
    }
}

/// Shown differences first, what cannot be told last; the largest first, then by name.
fn rank(line: &Line) -> (u8, f64, bool, &super::Name, Metric) {
    let kind = |difference: Difference| match difference {
        Difference::Shown => 0,
        Difference::NotShown | Difference::BelowNoise => 1,
        Difference::NoInterval => 2,
    };
    let shifts = || line.shifts.iter().flatten();
    let best = shifts().map(|shift| kind(shift.difference)).min().unwrap_or(3);
    let counted = shifts().filter(|shift| kind(shift.difference) == best);
    let size = counted.map(|shift| shift.effect.size()).fold(0.0, f64::max);
    (best, -size, !line.headline, &line.cell, line.metric)
}
