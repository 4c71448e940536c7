//! The check for the terminal and as JSON: alerts first, then what could not be judged, then what is kept.

use serde_json::{Value, json};
use yardstick_analyse::{Bound, Comparison, Judgement, Row, Verdict};
use yardstick_record::{Direction, Metric};

use crate::json::{json_escape, quantity};
use crate::number;
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 48;
/// Characters of a reason.
const REASON: usize = 300;

/// Judgements, a line each, and a sentence that counts them. `instance`: what stands in alerts for the machine.
pub fn check(
    comparison: &Comparison,
    judgements: &[Judgement],
    instance: Option<&str>,
    width: usize,
) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    for (head, is_one) in SECTIONS {
        let mut lines: Vec<(String, String, usize)> = Vec::new();
        for judgement in judgements.iter().filter(|one| is_one(&one.verdict)) {
            let row = judgement.row.and_then(|at| comparison.rows.get(at));
            let (place, finding) = (place(row, instance), finding(judgement));
            // What has no figure reads the same for many cells: one line tells of all.
            match lines.iter_mut().find(|(_, other, _)| *other == finding) {
                Some((_, _, more)) if judgement.found.value().is_none() => *more += 1,
                _ => lines.push((place, finding, 0)),
            }
        }
        for (place, finding, more) in lines {
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            push_wrapped(&mut text, &format!("{head} {place}{more}: {finding}"), width);
        }
    }
    push_wrapped(&mut text, &tally(judgements), width);
    text
}

type Section = (&'static str, fn(&Verdict) -> bool);

const SECTIONS: [Section; 3] = [
    ("ALERT", |verdict| matches!(verdict, Verdict::Broken { .. })),
    ("NOT JUDGED", |verdict| matches!(verdict, Verdict::Unjudged { .. })),
    ("kept", |verdict| matches!(verdict, Verdict::Kept { .. })),
];

/// The instance, the device, the model and the test.
fn place(row: Option<&Row>, instance: Option<&str>) -> String {
    let Some(row) = row else { return elide(instance.unwrap_or("no cell"), NAME) };
    let soak = if row.settings.contains_key("soak") { " (soak)" } else { "" };
    let parts = [
        self::instance(row, instance).to_owned(),
        row.member(),
        row.model.clone(),
        format!("{}{soak}", row.cell.test),
    ];
    parts.map(|part| elide(&part, NAME)).join(" ")
}

/// What an alert calls the machine: the name given, else the processor and the memory.
pub(crate) fn instance<'a>(row: &'a Row, given: Option<&'a str>) -> &'a str {
    given.or(row.settings.get("machine").map(String::as_str)).unwrap_or("unknown machine")
}

fn finding(judgement: &Judgement) -> String {
    let metric = judgement.metric;
    let (name, limit) = (metric.name(), limit(metric, judgement.bound));
    let reason = match &judgement.verdict {
        Verdict::Unjudged { reason } => {
            return format!("{name}, {limit}: {}", elide(reason, REASON));
        }
        Verdict::Kept { shown: true } | Verdict::Broken { shown: true } => "",
        Verdict::Kept { shown: false } | Verdict::Broken { shown: false } => {
            "; its interval does not prove it"
        }
    };
    let found = judgement.found.value().map_or_else(String::new, |found| {
        number::with_unit(metric, &number::plain_estimate(metric, found), found.median)
    });
    let change = judgement
        .change
        .map_or(String::new(), |change| format!(", {} for the worse", percent(change)));
    let room = judgement.headroom().map_or(String::new(), |room| match judgement.bound {
        Bound::Value(_) if room < 0.0 => format!(", {} beyond", percent(-100.0 * room)),
        Bound::Value(_) => format!(", {} to spare", percent(100.0 * room)),
        Bound::Percent(_) => String::new(),
    });
    format!("{name} {found}{change}, {limit}{room}{reason}")
}

fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

/// `at least 20.00 tokens/s`, `at most 3.0 % worse than the baseline`.
fn limit(metric: Metric, bound: Bound) -> String {
    match (bound, metric.direction()) {
        (Bound::Percent(most), _) => format!("at most {most} % worse than the baseline"),
        (Bound::Value(bound), Direction::Higher) => {
            format!("at least {}", number::full(metric, bound))
        }
        (Bound::Value(bound), Direction::Lower) => {
            format!("at most {}", number::full(metric, bound))
        }
    }
}

fn tally(judgements: &[Judgement]) -> String {
    let count =
        |is_one: fn(&Verdict) -> bool| judgements.iter().filter(|one| is_one(&one.verdict)).count();
    format!(
        "{} judgements: {} broken, {} not judged, {} kept",
        judgements.len(),
        count(SECTIONS[0].1),
        count(SECTIONS[1].1),
        count(SECTIONS[2].1)
    )
}

/// Judgements as JSON: figures as the report has them.
pub fn check_json(
    name: &str,
    comparison: &Comparison,
    judgements: &[Judgement],
    instance: Option<&str>,
) -> String {
    let one = |judgement: &Judgement| {
        let row = judgement.row.and_then(|at| comparison.rows.get(at));
        let mut object = json!(judgement);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("found".into(), quantity(judgement.metric, &judgement.found));
            fields.insert("cell".into(), row.map_or(Value::Null, |row| cell(row, instance)));
        }
        object
    };
    let whole = json!({
        "check": 1,
        "budgets": name,
        "judgements": judgements.iter().map(one).collect::<Vec<_>>(),
    });
    json_escape(&format!("{whole:#}\n"))
}

fn cell(row: &Row, given: Option<&str>) -> Value {
    json!({
        "instance": instance(row, given),
        "device": row.member(),
        "model": row.model,
        "test": row.cell.test,
        "settings": row.settings,
        "not_ranked": row.not_ranked,
        "records": row.records,
    })
}
