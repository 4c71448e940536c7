//! The block of a trade-off: a row a format, a sentence a row, what to make of the front.

use yardstick_analyse::{
    Aspect, Candidate, Change, Column, Difference, Estimate, Front, Quantity, Standing, Tradeoff,
    Varies,
};
use yardstick_record::{Direction, Metric};

use super::cells::{self, Notes};
use super::{Block, Field, Head};
use crate::number;
use crate::table::detail;
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 40;

/// The table and its sentences.
pub(super) fn block(tradeoff: &Tradeoff) -> Block {
    let mut notes = Notes::default();
    let shown = shown(tradeoff);
    let mut heads = vec![cells::words(match tradeoff.varies {
        Varies::Weights => "format",
        Varies::Keys => "KV type",
    })];
    heads.extend(shown.iter().map(|&column| head(tradeoff, column)));
    let row = |candidate: &Candidate| {
        let mut row = vec![cells::text(elide(&candidate.label, NAME))];
        let columns = shown.iter();
        row.extend(columns.map(|&i| field(&tradeoff.columns[i], candidate, i, &mut notes)));
        row
    };
    let rows: Vec<Vec<Field>> = tradeoff.candidates.iter().map(row).collect();
    let mut block = Block::new(title(tradeoff), heads).fill(rows, notes);
    block.sentences = (0..tradeoff.candidates.len()).map(|at| sentence(tradeoff, at)).collect();
    let conclusions = tradeoff.fronts.iter().map(|front| conclusion(tradeoff, front) + ".");
    block.conclusions = conclusions.collect();
    block.remarks = remarks(tradeoff);
    block
}

/// `rustdoc-6m on cpu:avx512: what a quantisation costs and buys`.
fn title(tradeoff: &Tradeoff) -> String {
    let what = match tradeoff.varies {
        Varies::Weights => "a quantisation",
        Varies::Keys => "a type of keys and values",
    };
    format!("{}: what {what} costs and buys", subject(tradeoff))
}

/// `rustdoc-6m on cpu:avx512`.
pub(crate) fn subject(tradeoff: &Tradeoff) -> String {
    format!("{} on {}", elide(&tradeoff.model, NAME), elide(&tradeoff.device, NAME))
}

/// Columns with a value, or a reason that is not only that nobody asked.
fn shown(tradeoff: &Tradeoff) -> Vec<usize> {
    let asked = |&column: &usize| {
        let told = &tradeoff.columns[column];
        told.test.is_some() || matches!(told.aspect, Aspect::Size | Aspect::BitsPerWeight)
    };
    (0..tradeoff.columns.len()).filter(asked).collect()
}

fn head(tradeoff: &Tradeoff, column: usize) -> Head {
    let column = &tradeoff.columns[column];
    let texts = tradeoff.columns.iter().filter(|other| other.aspect == column.aspect).count();
    let gives_way = match column.aspect {
        Aspect::Size => 2,
        Aspect::BitsPerWeight => 5,
        Aspect::Prefill => 4,
        Aspect::Energy => 3,
        Aspect::Quality(metric) if metric != Metric::KldMean && metric != Metric::Perplexity => 6,
        _ => 0,
    };
    let unit = match column.aspect {
        Aspect::Quality(metric) if !metric.unit().is_empty() => format!(", {}", metric.unit()),
        _ => String::new(),
    };
    let title = match (&column.data, texts) {
        (Some(data), 2..) => format!("{} {}{unit}", name(tradeoff, column), elide(data, 20)),
        _ => format!("{}{unit}", name(tradeoff, column)),
    };
    cells::number(title, gives_way)
}

/// The heading of a column, and the word of an axis.
pub(crate) fn name(tradeoff: &Tradeoff, column: &Column) -> String {
    let test = column.test.map(|test| test.to_string()).unwrap_or_default();
    let keys = tradeoff.varies == Varies::Keys;
    match column.aspect {
        Aspect::Size if keys => "KV bytes/position".to_owned(),
        Aspect::Size => "size".to_owned(),
        Aspect::BitsPerWeight if keys => "bits/element".to_owned(),
        Aspect::BitsPerWeight => "bits/weight".to_owned(),
        Aspect::Prefill | Aspect::Decode => format!("{test} t/s"),
        Aspect::Memory => "memory".to_owned(),
        Aspect::Energy => "J/token".to_owned(),
        Aspect::Quality(metric) => score(metric).to_owned(),
    }
}

fn score(metric: Metric) -> &'static str {
    match metric {
        Metric::Perplexity => "perplexity",
        Metric::KldMean => "KLD",
        Metric::Top1Agreement => "same top 1",
        Metric::Accuracy => "accuracy",
        Metric::MatchingTokens => "same tokens",
        other => other.name(),
    }
}

fn field(column: &Column, candidate: &Candidate, at: usize, notes: &mut Notes) -> Field {
    let explain = |estimate: &Estimate| match metric(column.aspect) {
        Some(metric) => detail(metric, estimate),
        None => interval(estimate, column.aspect.unit()),
    };
    cells::quantity(&candidate.values[at], notes, |q| written(column.aspect, q), explain)
}

/// The metric behind an aspect, where it is one.
fn metric(aspect: Aspect) -> Option<Metric> {
    match aspect {
        Aspect::Prefill | Aspect::Decode => Some(Metric::TokensPerSecond),
        Aspect::Memory => Some(Metric::PeakRssBytes),
        Aspect::Quality(metric) => Some(metric),
        Aspect::Size | Aspect::BitsPerWeight | Aspect::Energy => None,
    }
}

fn interval(estimate: &Estimate, unit: &str) -> String {
    match estimate.interval.value() {
        Some(i) => format!("{} to {} {unit}", number::digits(i.low), number::digits(i.high)),
        None => format!("no interval: {}", estimate.interval.reason().unwrap_or("n too small")),
    }
}

/// A value as people read it; the unit of a score stands in its heading.
fn written(aspect: Aspect, quantity: &Quantity) -> String {
    match (metric(aspect), &quantity.estimate) {
        (Some(metric), Some(estimate)) if matches!(aspect, Aspect::Quality(_)) => {
            number::plain_estimate(metric, estimate)
        }
        (Some(metric), Some(estimate)) => number::estimate(metric, estimate),
        _ if aspect == Aspect::Size => number::bytes(quantity.value),
        _ => number::digits(quantity.value),
    }
}

/// What a format costs and buys, in a sentence made of estimates.
fn sentence(tradeoff: &Tradeoff, at: usize) -> String {
    let candidate = &tradeoff.candidates[at];
    let mut parts: Vec<String> = match at == tradeoff.baseline {
        true => vec!["what the others are held against".to_owned()],
        false => changes(tradeoff, candidate),
    };
    parts.extend(quality(tradeoff, candidate));
    let standing = standing(tradeoff, at);
    let end =
        if standing.is_empty() { String::new() } else { format!("; {}", standing.join("; ")) };
    format!("{}: {}{end}.", elide(&candidate.label, NAME), parts.join(", "))
}

fn changes(tradeoff: &Tradeoff, candidate: &Candidate) -> Vec<String> {
    let words = |(column, change): (&Column, &Option<Change>)| {
        let change = change.as_ref()?;
        match column.aspect {
            Aspect::Size => Some(share(change, "smaller", "larger")),
            Aspect::Memory => Some(match change.difference {
                Difference::Shown => share(change, "less memory", "more memory"),
                _ => "no difference in memory shown".to_owned(),
            }),
            Aspect::Prefill => Some(times(change, "prefill")),
            Aspect::Decode => Some(times(change, "decode")),
            Aspect::Energy => Some(times(change, "energy a token")),
            Aspect::BitsPerWeight | Aspect::Quality(_) => None,
        }
    };
    tradeoff.columns.iter().zip(&candidate.changes).filter_map(words).collect()
}

/// `41 % less memory`.
fn share(change: &Change, less: &str, more: &str) -> String {
    match change.ratio {
        ratio if ratio <= 1.0 => format!("{:.0} % {less}", 100.0 * (1.0 - ratio)),
        ratio => format!("{:.0} % {more}", 100.0 * (ratio - 1.0)),
    }
}

/// `1.70× decode [1.68, 1.72]`.
fn times(change: &Change, what: &str) -> String {
    let range = match change.interval {
        Some(interval) => format!(" [{:.2}, {:.2}]", interval.low, interval.high),
        None => String::new(),
    };
    match change.difference {
        Difference::Shown => format!("{:.2}× {what}{range}", change.ratio),
        Difference::NotShown | Difference::BelowNoise => {
            format!("no difference in {what} shown ({:.2}×{range})", change.ratio)
        }
        Difference::NoInterval => format!("{:.2}× {what} (not shown: n too small)", change.ratio),
    }
}

/// ` (+0.520 % [0.310, 0.730], window by window)`.
fn window_by_window(change: &Change) -> String {
    let percent = |ratio: f64| 100.0 * (ratio - 1.0);
    let range = change.interval.map(|i| {
        format!(" [{}, {}]", number::digits(percent(i.low)), number::digits(percent(i.high)))
    });
    let range = range.unwrap_or_default();
    match change.difference {
        Difference::Shown => {
            format!(" ({} %{range}, window by window)", signed(percent(change.ratio)))
        }
        _ => format!(
            " (no difference shown: {} %{range}, window by window)",
            signed(percent(change.ratio))
        ),
    }
}

/// `+0.520`, `-0.0310`.
fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", number::digits(value))
}

/// Each score, or once why there is none.
fn quality(tradeoff: &Tradeoff, candidate: &Candidate) -> Vec<String> {
    let scores = tradeoff.columns.iter().zip(&candidate.values).zip(&candidate.changes);
    let scores = scores.filter(|((column, _), _)| matches!(column.aspect, Aspect::Quality(_)));
    let mut parts = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    for ((column, value), change) in scores {
        match (value.value(), column.aspect) {
            (Some(quantity), Aspect::Quality(metric)) => {
                let unit = if metric.unit() == "%" { " %" } else { "" };
                let value = written(column.aspect, quantity);
                let change = change.as_ref().map(window_by_window).unwrap_or_default();
                parts.push(format!("{} {value}{unit}{change}", score(metric)));
            }
            _ => reasons.extend(value.reason()),
        }
    }
    reasons.dedup();
    if parts.is_empty() {
        parts.extend(reasons.first().map(|reason| format!("no quality: {}", elide(reason, 100))));
    }
    parts
}

/// What the fronts make of a candidate, those that say the same together: `dominated by Q4_K_M in KLD against tg64 t/s`.
fn standing(tradeoff: &Tradeoff, at: usize) -> Vec<String> {
    let mut said: Vec<(String, Vec<&Front>)> = Vec::new();
    for front in &tradeoff.fronts {
        let words = match &front.standings[at] {
            Standing::Front => "on the front".to_owned(),
            Standing::Tied(with) => format!("no advantage over {} shown", labels(tradeoff, with)),
            Standing::Dominated(by) => format!("dominated by {}", labels(tradeoff, by)),
            Standing::Missing(_) => continue,
        };
        match said.iter_mut().find(|(other, _)| *other == words) {
            Some((_, fronts)) => fronts.push(front),
            None => said.push((words, vec![front])),
        }
    }
    let costs = |fronts: &[&Front]| {
        let costs = fronts.iter().map(|front| name(tradeoff, &tradeoff.columns[front.cost]));
        listed(&costs.collect::<Vec<_>>())
    };
    said.iter()
        .map(|(words, fronts)| {
            let quality = name(tradeoff, &tradeoff.columns[fronts[0].quality]);
            format!("{words} in {quality} against {}", costs(fronts))
        })
        .collect()
}

/// `KLD against tg64 t/s`.
pub(crate) fn axes(tradeoff: &Tradeoff, front: &Front) -> String {
    let [quality, cost] = [front.quality, front.cost].map(|i| name(tradeoff, &tradeoff.columns[i]));
    format!("{quality} against {cost}")
}

/// `Q4_0, Q3_K_M and Q2_K`.
pub(crate) fn labels(tradeoff: &Tradeoff, indices: &[usize]) -> String {
    let labels: Vec<String> =
        indices.iter().map(|&i| elide(&tradeoff.candidates[i].label, NAME)).collect();
    listed(&labels)
}

fn listed(words: &[String]) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A front in a sentence: what to choose from, and what not.
pub(crate) fn conclusion(tradeoff: &Tradeoff, front: &Front) -> String {
    let of = |is: fn(&Standing) -> bool| -> Vec<usize> {
        (0..front.standings.len()).filter(|&i| is(&front.standings[i])).collect()
    };
    let chosen = of(Standing::is_on_front);
    let dominated = of(|standing| matches!(standing, Standing::Dominated(_)));
    let verb = if chosen.len() == 1 { "is" } else { "are" };
    let rest = match dominated.len() {
        0 => "none is dominated".to_owned(),
        1 => format!("{} is dominated", labels(tradeoff, &dominated)),
        _ => format!("{} are dominated", labels(tradeoff, &dominated)),
    };
    let front = axes(tradeoff, front);
    format!("{front}: {} {verb} on the front, {rest}", labels(tradeoff, &chosen))
}

fn remarks(tradeoff: &Tradeoff) -> Vec<String> {
    let mut remarks = no_fronts(tradeoff);
    remarks.extend(against(tradeoff));
    if !tradeoff.fronts.is_empty() {
        remarks.push(
            "Dominated: another is shown better on one axis, beyond both intervals, and its value is no worse on the other. \
             Changes are from the largest format."
                .to_owned(),
        );
    }
    remarks
}

/// Costs without a front, those of one reason together.
fn no_fronts(tradeoff: &Tradeoff) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for none in &tradeoff.no_fronts {
        let cost = match none.cost {
            Aspect::Decode => "speed",
            Aspect::Energy => "energy",
            _ => "size",
        };
        match reasons.iter_mut().find(|(reason, _)| *reason == none.reason) {
            Some((_, costs)) => costs.push(cost.to_owned()),
            None => reasons.push((&none.reason, vec![cost.to_owned()])),
        }
    }
    let line = |(reason, costs): &(&str, Vec<String>)| {
        format!("No front against {}: {}.", listed(costs), elide(reason, 200))
    };
    reasons.iter().map(line).collect()
}

/// What a divergence is from, and whether that is the whole loss.
fn against(tradeoff: &Tradeoff) -> Option<String> {
    let reference = tradeoff.reference.as_ref()?;
    let kld = |column: &Column| column.aspect == Aspect::Quality(Metric::KldMean);
    let kld = tradeoff.columns.iter().position(kld)?;
    tradeoff.candidates.iter().find(|candidate| candidate.values[kld].value().is_some())?;
    let (model, device) = (elide(&reference.model, 60), elide(&reference.device, NAME));
    let whole = match (tradeoff.reference_is_quantised(), reference.quantisation.value()) {
        (Some(true), Some(format)) => format!(
            ", which is quantised itself ({}): the loss from that file, not from the weights as they were trained",
            elide(format, 20)
        ),
        (Some(false), _) => String::new(),
        _ => ", whose own format is not known: the loss from that file".to_owned(),
    };
    Some(format!(
        "KLD: nats a position away from {model} on {device} ({}){whole}.",
        elide(&reference.proof, 120)
    ))
}

/// Which way an axis is better, for who reads a picture.
pub(crate) fn better(aspect: Aspect) -> &'static str {
    match aspect.direction() {
        Direction::Higher => "more is better",
        Direction::Lower => "less is better",
    }
}
