//! A search for settings, for the terminal and as JSON: what won, its flags, what every setting changed, what was left out.

use serde_json::json;
use yardstick_analyse::recommend::{Judged, Outcome, What};
use yardstick_analyse::tune::{Point, Tuned, Winner};

use crate::json::json_escape;
use crate::number::digits;
use crate::recommend::{bound, reason, value};
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::elide;

/// Characters of a model's name, and of a reason.
const NAME: usize = 60;
const REASON: usize = 240;
/// Share of disturbed samples that is told.
const DISTURBED: f64 = 0.2;
/// Columns of the table of everything tried.
const COLUMNS: [(What, &str); 6] = [
    (What::TokensPerSecond, "tokens/s"),
    (What::TokenLatencyP95Ms, "p95 ms"),
    (What::TtftMs, "ttft ms"),
    (What::MemoryGib, "GiB"),
    (What::KldMean, "KLD"),
    (What::JoulesPerToken, "J/token"),
];

/// Everything as JSON; `lines`: programs and the flags of the winner.
pub fn tune_json(tuned: &Tuned, lines: &[(&str, String)]) -> String {
    let flags: serde_json::Map<String, serde_json::Value> =
        lines.iter().map(|(program, line)| ((*program).to_owned(), json!(line))).collect();
    json_escape(&format!("{:#}\n", json!({ "tuned": tuned, "flags": flags })))
}

/// The winner first, then everything that was tried, best first.
pub fn tune(tuned: &Tuned, lines: &[(&str, String)], width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    for line in decision(tuned) {
        push_wrapped(&mut text, &line, width);
    }
    if !lines.is_empty() {
        text.push('\n');
    }
    // Lines to be copied are never broken.
    for (program, line) in lines {
        text.push_str(&format!("  {program} {}\n", elide(line, 4096)));
    }
    push_tried(&mut text, tuned);
    if !tuned.left_out.is_empty() {
        text.push_str("\nNot tried\n");
    }
    for line in &tuned.left_out {
        push_wrapped(&mut text, &elide(line, REASON), width);
    }
    text
}

fn name(point: &Point) -> String {
    format!("{}, {}", elide(&point.model, NAME), point.words())
}

fn decision(tuned: &Tuned) -> Vec<String> {
    let found = &tuned.standings.found;
    let needs = &found.needs.name;
    let mut lines = match &tuned.winner {
        None => {
            vec![format!("{needs}: nothing was measured on {} that may be ranked.", tuned.device)]
        }
        Some(winner) => won(tuned, winner),
    };
    for (requirement, reason) in &tuned.standings.set_aside {
        lines.push(format!(
            "Set aside, since nothing here tells it: {} {} ({}).",
            requirement.what.words(),
            bound(found, requirement),
            elide(reason, REASON)
        ));
    }
    if let Some((what, reason)) = &tuned.standings.undecided {
        lines.push(format!(
            "{} was to decide and is not known ({}): {} decides.",
            what.words(),
            elide(reason, REASON),
            found.rank_by.words()
        ));
    }
    let last = tuned.rounds.last().filter(|round| round.disturbed > DISTURBED);
    lines.extend(last.map(|round| {
        format!(
            "{:.0} % of the last round's samples ran while other programs or heat disturbed them: on a quiet machine the decision would be firmer.",
            100.0 * round.disturbed
        )
    }));
    let spent: f64 = tuned.rounds.iter().map(|round| round.seconds).sum();
    let rounds = tuned
        .rounds
        .iter()
        .map(|round| format!("{} {} × {}", round.name, round.points, round.launches));
    let rounds: Vec<String> = rounds.collect();
    lines.push(format!(
        "{} settings × launches, {:.1} minutes. Settings vary one at a time: two that help only together are not found.",
        rounds.join(", "),
        spent / 60.0
    ));
    lines
}

fn won(tuned: &Tuned, winner: &Winner) -> Vec<String> {
    let found = &tuned.standings.found;
    let (needs, by) = (&found.needs.name, found.rank_by.words());
    let of = judged(tuned, &winner.point);
    let figure = of.and_then(|one| one.figure(found.rank_by).value().cloned());
    let figure = figure.map_or(String::new(), |f| format!(" {}", value(found, found.rank_by, &f)));
    let head = name(&winner.point);
    let mut lines = vec![match winner.outcome {
        Outcome::Meets => format!("{needs} on {}: {head} wins by {by}{figure}.", tuned.device),
        Outcome::Open => format!(
            "{needs} on {}: {head} is ahead by {by}{figure}, but not every need could be judged.",
            tuned.device
        ),
        Outcome::Misses | Outcome::Barred => {
            format!(
                "{needs} on {}: nothing meets the needs; {head} comes closest{figure}.",
                tuned.device
            )
        }
    }];
    if winner.outcome != Outcome::Meets {
        let why = of.into_iter().flat_map(|one| &one.findings).filter_map(|f| reason(found, f));
        lines.extend(why);
    }
    match winner.tied.as_slice() {
        [] => {}
        tied => {
            let names: Vec<String> = tied.iter().map(name).collect();
            lines.push(format!("Not shown to be worse: {}.", names.join("; ")));
        }
    }
    let random = of.and_then(|one| one.candidate.random_weights.as_ref());
    if random.is_some() {
        lines.push("Its weights are random: speed and memory are those of its shape, and nothing is said of its answers.".into());
    }
    lines
}

fn judged<'a>(tuned: &'a Tuned, point: &Point) -> Option<&'a Judged> {
    let all = &tuned.standings.found.judged;
    all.iter().find(|one| Point::of(&one.candidate).as_ref() == Some(point))
}

/// The finalists by their last round, then what else was tried by its own; best first, a column that nobody has a figure in left out.
fn push_tried(text: &mut String, tuned: &Tuned) {
    let of_last = tuned.standings.order();
    let finals = of_last.iter().filter(|(point, _)| tuned.finalists.contains(point));
    let others = tuned.all.order();
    let others = others.iter().filter(|(point, _)| !tuned.finalists.contains(point));
    let points: Vec<&(Point, &Judged)> = finals.chain(others).collect();
    let told = |what: What| points.iter().any(|(_, one)| one.figure(what).value().is_some());
    let columns: Vec<(What, &str)> = COLUMNS.into_iter().filter(|(what, _)| told(*what)).collect();
    let among: Vec<Point> = points.iter().map(|(point, _)| point.clone()).collect();
    let head = columns.iter().map(|(_, title)| (*title).to_owned());
    let mut rows = vec![row("", "setting".to_owned(), head, "needs")];
    for (point, one) in &points {
        let mark = match &tuned.winner {
            Some(winner) if winner.point == *point => "*",
            _ if tuned.finalists.contains(point) => "+",
            _ => "",
        };
        let words = point.told_apart_from(&among);
        let comma = if words.is_empty() { "" } else { ", " };
        let setting = format!("{}{comma}{words}", elide(&point.model, NAME));
        let figures = columns.iter().map(|(what, _)| {
            one.figure(*what).value().map_or_else(|| "–".to_owned(), |f| digits(f.value))
        });
        rows.push(row(mark, setting, figures, outcome(one.outcome)));
    }
    text.push('\n');
    push_rows(text, &rows);
    text.push_str("* winner, + finalist: by the last round, in which they took turns; others by one or two launches of an earlier moment\n");
    push_barred(text, tuned);
}

fn row(
    mark: &str,
    setting: String,
    figures: impl Iterator<Item = String>,
    needs: &str,
) -> Vec<String> {
    [mark.to_owned(), setting].into_iter().chain(figures).chain([needs.to_owned()]).collect()
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Meets => "met",
        Outcome::Open => "not judged",
        Outcome::Misses => "missed",
        Outcome::Barred => "–",
    }
}

/// Words to the left, figures to the right.
fn push_rows(text: &mut String, rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
}

/// What may not be ranked, a line each with its reason.
fn push_barred(text: &mut String, tuned: &Tuned) {
    for one in &tuned.all.found.judged {
        if let (Some(reason), Some(point)) = (&one.candidate.barred, Point::of(&one.candidate)) {
            text.push_str(&format!("not ranked: {}: {}\n", name(&point), elide(reason, REASON)));
        }
    }
}
