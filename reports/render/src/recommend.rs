//! A recommendation for the terminal and as JSON: who is first and how firmly, then every candidate with its reason.

use serde_json::json;
use yardstick_analyse::Standing;
use yardstick_analyse::predict::Class;
use yardstick_analyse::recommend::{
    Axis, Basis, Figure, Finding, Judged, Outcome, Recommendation, Requirement, What,
};
use yardstick_api::Known;

use crate::json::json_escape;
use crate::number::digits;
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::elide;

/// Characters of a candidate's name, and of a reason.
const NAME: usize = 100;
const REASON: usize = 240;
/// Characters of a record's id that tell it from others.
const ID: usize = 8;
/// Places shown to people.
const MOST_PLACES: usize = 12;
/// Records named in a line.
const MOST_IDS: usize = 4;
/// Figures of a candidate that meets the needs.
const SHOWN: [What; 8] = [
    What::TokensPerSecond,
    What::TtftMs,
    What::MemoryGib,
    What::JoulesPerToken,
    What::Headroom,
    What::TotalCost,
    What::CostPerMillionTokens,
    What::BatteryHours,
];

/// Everything as JSON.
pub fn recommend_json(found: &Recommendation) -> String {
    json_escape(&format!("{:#}\n", json!({ "recommendation": found })))
}

/// The decision first, then who meets the needs, who is left open, who misses and by how much, and who may not be ranked.
pub fn recommend(found: &Recommendation, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    for line in decision(found) {
        push_wrapped(&mut text, &line, width);
    }
    push_meeting(&mut text, found, width);
    push_others(&mut text, found, (Outcome::Open, "Cannot be judged"), width);
    push_others(&mut text, found, (Outcome::Misses, "Excluded"), width);
    push_barred(&mut text, found, width);
    text
}

fn name(found: &Recommendation, at: usize) -> String {
    found.judged.get(at).map_or_else(String::new, |one| elide(&one.candidate.name(), NAME))
}

/// That a first place says nothing of answers, where its weights are random.
fn random_weights(found: &Recommendation) -> Option<String> {
    let firsts = found.places.iter().filter(|place| place.place == 1);
    let random = firsts.filter_map(|place| {
        let one = &found.judged.get(place.candidate)?.candidate;
        one.random_weights.as_ref().map(|_| elide(&one.model, NAME))
    });
    let models: std::collections::BTreeSet<String> = random.collect();
    let models: Vec<String> = models.into_iter().collect();
    (!models.is_empty()).then(|| {
        format!(
            "The weights of {} are random: speed, memory and cost are those of its shape, and nothing is said of its answers.",
            models.join(", ")
        )
    })
}

fn decision(found: &Recommendation) -> Vec<String> {
    let by = found.rank_by.words();
    let Some(first) = found.places.first() else {
        let n = found.judged.len();
        return vec![match found.judged.iter().any(|one| one.outcome == Outcome::Open) {
            true => format!(
                "{}: none of {n} candidates is shown to meet the needs; some cannot be judged.",
                found.needs.name
            ),
            false => format!("{}: none of {n} candidates meets the needs.", found.needs.name),
        }];
    };
    let ties = found.places.iter().filter(|place| place.place == 1).count();
    let mut lines = vec![match ties {
        1 => format!("{}: {} is first by {by}.", found.needs.name, name(found, first.candidate)),
        n => format!(
            "{}: {n} candidates share first place by {by}; the figures do not tell them apart. The best value is that of {}.",
            found.needs.name,
            name(found, first.candidate)
        ),
    }];
    lines.extend(random_weights(found));
    lines.extend(firmness(found));
    for Axis { name, what } in &found.axes {
        if let Some(reason) = what.reason() {
            lines.push(format!("No axis of {name}: {}", elide(reason, REASON)));
        }
    }
    let boards = found.places.iter().map(|place| &found.judged[place.candidate].candidate);
    let mut boards: Vec<&str> =
        boards.filter(|one| one.class == Some(Class::Gpu)).map(|one| one.device.as_str()).collect();
    boards.dedup();
    if !boards.is_empty() {
        lines.push(format!(
            "Price and power of {} are the board's alone: a computer around it is in no figure.",
            elide(&boards.join(", "), REASON)
        ));
    }
    if let Some(total) = &found.api_total {
        lines.push(match total {
            Known::Value(total) => format!(
                "The API would take {} {} over {} years.",
                digits(*total),
                found.needs.currency,
                found.needs.workload.years
            ),
            Known::Unavailable { unavailable } => format!("The API's cost: {unavailable}"),
        });
    }
    lines
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn firmness(found: &Recommendation) -> Vec<String> {
    let Some(stability) = &found.stability else { return Vec::new() };
    let wins = stability
        .wins
        .iter()
        .take(3)
        .map(|(at, share)| format!("{} in {}", name(found, *at), percent(*share)));
    let mut said: Vec<String> = wins.collect();
    if stability.none > 0.0 {
        said.push(format!("nothing meets the needs in {}", percent(stability.none)));
    }
    let mut lines = vec![format!(
        "In {} worlds (seed {}; figures within their intervals, prices ±{}, workload ±{}): {}.",
        stability.worlds,
        stability.seed,
        percent(found.needs.spans.price),
        percent(found.needs.spans.workload),
        said.join("; ")
    )];
    if stability.assumed > 0 {
        lines.push(format!(
            "{} figures have no interval and were drawn within ±{}, which is an assumption.",
            stability.assumed,
            percent(found.needs.spans.unknown)
        ));
    }
    if let Some(next) = &stability.next {
        let of = found.judged.get(next.candidate);
        let rerun = of.and_then(|one| one.candidate.rerun.as_deref());
        let how = match (next.basis, rerun) {
            (Some(Basis::Measured), Some(rerun)) => format!(": {} --launches 6", rerun),
            _ => String::new(),
        };
        let gain = match next.share {
            Some(share) => {
                format!("were it known exactly, one would be first in {}", percent(share))
            }
            None => "it would be first, were that met".to_owned(),
        };
        lines.push(format!(
            "The next measurement worth making: {} of {}; {gain}{}",
            next.what.words(),
            name(found, next.candidate),
            elide(&how, 400)
        ));
    }
    let tied = found.places.first().is_some_and(|place| place.tied);
    if let (Some((share, to)), false) = (stability.unsoaked, tied) {
        let then = match to {
            Some(to) => format!("{} is first", name(found, to)),
            None => "nothing meets the needs".to_owned(),
        };
        lines.push(format!(
            "It was never held for minutes: below {} of its speed {then}. A soak of 10 minutes would tell.",
            percent(share)
        ));
    }
    lines
}

fn push_meeting(text: &mut String, found: &Recommendation, width: usize) {
    if !found.places.is_empty() {
        text.push_str("\nMeets every requirement\n");
    }
    for place in found.places.iter().take(MOST_PLACES) {
        let one = &found.judged[place.candidate];
        let tie = if place.tied { "=" } else { "" };
        let line = format!("{}{tie} {}", place.place, name(found, place.candidate));
        push_wrapped(text, &line, width);
        let mut parts: Vec<String> =
            SHOWN.iter().filter_map(|&what| shown(found, one, what)).collect();
        parts.extend(
            one.candidate.licence.as_ref().map(|l| format!("licence {}", elide(&l.value, NAME))),
        );
        parts.extend(purchase(found, one));
        parts.push(standing(found, place.candidate));
        let ids = one.candidate.value(What::TokensPerSecond).map(|f| ids(&f.records));
        parts.extend(ids);
        text.push_str("  ");
        push_wrapped(text, &parts.join("; "), width - 2);
    }
    if let Some(more) = found.places.len().checked_sub(MOST_PLACES).filter(|more| *more > 0) {
        text.push_str(&format!("and {more} more: --json has them\n"));
    }
    let unranked = found.judged.iter().enumerate().filter(|(at, one)| {
        one.outcome == Outcome::Meets && !found.places.iter().any(|place| place.candidate == *at)
    });
    for (at, one) in unranked {
        let reason = one.figure(found.rank_by).reason().unwrap_or_default().to_owned();
        let line = format!("–  {}: not ranked, {}", name(found, at), elide(&reason, REASON));
        push_wrapped(text, &line, width);
    }
}

/// Figures that are missing are told once, as axes; those that follow from others by the first that is missing.
fn shown(found: &Recommendation, one: &Judged, what: What) -> Option<String> {
    let figure = one.figure(what);
    let figure = figure.value()?;
    Some(format!("{} {}", what.words(), value(found, what, figure)))
}

fn purchase(found: &Recommendation, one: &Judged) -> Vec<String> {
    let mut parts = Vec::new();
    if let (Known::Value(n), true) = (&one.devices, found.needs.workload.tokens_per_day.is_some()) {
        parts.push(format!("{n:.0} {}", if *n == 1.0 { "device" } else { "devices" }));
    }
    if found.needs.api.is_some() {
        parts.push(match &one.break_even_days {
            Known::Value(Some(days)) if *days > 365.0 * found.needs.workload.years => format!(
                "dearer than the API within the {} years: no more than it after {days:.0} days",
                found.needs.workload.years
            ),
            Known::Value(Some(days)) => format!("costs no more than the API after {days:.0} days"),
            Known::Value(None) => {
                "never as cheap as the API: its electricity alone costs more".into()
            }
            Known::Unavailable { unavailable } => {
                format!("break-even unknown: {}", elide(unavailable, REASON))
            }
        });
    }
    parts
}

fn standing(found: &Recommendation, at: usize) -> String {
    let names = |list: &[usize]| match list {
        [one] => name(found, *one),
        many => format!("{} others", many.len()),
    };
    match found.front.iter().find(|(who, _)| *who == at).map(|(_, standing)| standing) {
        Some(Standing::Front) => "on the Pareto front".to_owned(),
        Some(Standing::Tied(with)) => {
            format!("on the Pareto front, no advantage shown over {}", names(with))
        }
        Some(Standing::Dominated(by)) => format!("dominated by {}", names(by)),
        Some(Standing::Missing(reason)) => reason.clone(),
        None => "in no front".to_owned(),
    }
}

/// `50.90 tokens/s [12.03, 89.77], sustained`
pub(crate) fn value(found: &Recommendation, what: What, figure: &Figure) -> String {
    let unit = if what.is_money() { &found.needs.currency } else { what.unit() };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let range = match figure.range {
        Some((low, high)) if low < high => format!(" [{}, {}]", digits(low), digits(high)),
        Some(_) => String::new(),
        None => " (no interval)".to_owned(),
    };
    let basis = match (figure.basis, &figure.note) {
        (Basis::Measured, _) => String::new(),
        (Basis::Computed, Some(note)) => format!(", computed, {}", elide(note, REASON)),
        (basis, _) => format!(", {}", basis.words()),
    };
    format!("{}{unit}{range}{basis}", digits(figure.value))
}

pub(crate) fn bound(found: &Recommendation, requirement: &Requirement) -> String {
    let unit = if requirement.what.is_money() {
        found.needs.currency.as_str()
    } else {
        requirement.what.unit()
    };
    let least = requirement.at_least.map(|value| format!("at least {}", digits(value)));
    let most = requirement.at_most.map(|value| format!("at most {}", digits(value)));
    let both: Vec<String> = [least, most].into_iter().flatten().collect();
    format!("{} {unit}", both.join(" and ")).trim().to_owned()
}

fn push_others(
    text: &mut String,
    found: &Recommendation,
    (outcome, title): (Outcome, &str),
    width: usize,
) {
    let of = || found.judged.iter().enumerate().filter(|(_, one)| one.outcome == outcome);
    if of().next().is_some() {
        text.push_str(&format!("\n{title}\n"));
    }
    for (at, one) in of() {
        let why: Vec<String> =
            one.findings.iter().filter_map(|finding| reason(found, finding)).collect();
        push_wrapped(text, &format!("{}: {}", name(found, at), why.join("; ")), width);
    }
}

pub(crate) fn reason(found: &Recommendation, finding: &Finding) -> Option<String> {
    let words = finding.requirement.what.words();
    let bound = bound(found, &finding.requirement);
    match (&finding.found, finding.met) {
        (Known::Value(figure), Some(false)) => {
            let by = finding.margin.map_or(String::new(), |m| format!(", {} beyond", percent(-m)));
            let shown = if finding.shown { "" } else { ", its interval does not prove it" };
            Some(format!(
                "{words} {}, {bound}{by}{shown} ({})",
                value(found, finding.requirement.what, figure),
                ids(&figure.records)
            ))
        }
        (Known::Unavailable { unavailable }, _) => {
            Some(format!("{words}, {bound}: not judged, {}", elide(unavailable, REASON)))
        }
        _ => None,
    }
}

fn ids(records: &[String]) -> String {
    let heads = records.iter().take(MOST_IDS).map(|id| id.chars().take(ID).collect::<String>());
    let heads: Vec<String> = heads.collect();
    match records.len() {
        0 => "no record".to_owned(),
        n if n > MOST_IDS => format!("records {} and {} more", heads.join(" "), n - MOST_IDS),
        1 => format!("record {}", heads.join(" ")),
        _ => format!("records {}", heads.join(" ")),
    }
}

/// Those of one reason are a line together.
fn push_barred(text: &mut String, found: &Recommendation, width: usize) {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for one in &found.judged {
        let Some(reason) = one.candidate.barred.as_deref() else { continue };
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, names)) => names.push(elide(&one.candidate.name(), NAME)),
            None => reasons.push((reason, vec![elide(&one.candidate.name(), NAME)])),
        }
    }
    if !reasons.is_empty() {
        text.push_str("\nNever ranked\n");
    }
    for (reason, names) in reasons {
        push_wrapped(text, &format!("{}: {}", elide(reason, REASON), names.join("; ")), width);
    }
}
