//! Where a canary stands: a line a check, and why.

use serde_json::json;
use yardstick_analyse::canary::{Canary, Check, Phase, Standing};

use crate::json_escape;
use crate::number::digits;
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::elide;

/// Characters of a metric's name.
const NAME: usize = 48;

/// Every phase that saw values, check by check, at most `width` wide.
pub fn canary(canary: &Canary, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    push_wrapped(&mut text, &format!("{}.", head(canary.standing())), width);
    let mut told = |indent: usize, line: &str| {
        text += &" ".repeat(indent);
        let mut part = String::new();
        push_wrapped(&mut part, line, width - indent);
        text += &part.trim_end().replace('\n', &format!("\n{}", " ".repeat(indent)));
        text.push('\n');
    };
    for phase in canary.phases() {
        let begun = phase.checks.iter().any(|check| check.n() > 0);
        let standing = if begun { words(phase.standing()) } else { "not begun" };
        told(2, &format!("{} % of the traffic: {standing}", phase.percent));
        phase.checks.iter().filter(|_| begun).for_each(|check| told(4, &line(check)));
    }
    text
}

/// Everything, as one object.
pub fn canary_json(canary: &Canary) -> String {
    let phases: Vec<_> = canary.phases().iter().map(phase).collect();
    let whole = json!({ "canary": 1, "standing": canary.standing(), "phases": phases });
    json_escape(&serde_json::to_string_pretty(&whole).expect("JSON values are JSON")) + "\n"
}

fn phase(phase: &Phase) -> serde_json::Value {
    json!({ "percent": phase.percent, "standing": phase.standing(), "checks": phase.checks })
}

fn head(standing: Standing) -> &'static str {
    match standing {
        Standing::Continue => "CONTINUE: the candidate is shown to be within the tolerance",
        Standing::Rollback => "ROLL BACK: the candidate is shown to be worse than is tolerated",
        Standing::NeedMore => "NEED MORE: neither is shown yet",
    }
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Continue => "continue",
        Standing::Rollback => "roll back",
        Standing::NeedMore => "need more",
    }
}

/// `latency p95: continue. Baseline 41.2 to 43.9; 1.2 % of 4,210 above 45.0, at most 5 % tolerated`
fn line(check: &Check) -> String {
    let percent = |share: f64| format!("{} %", digits(100.0 * share));
    let (n, standing) = (check.n(), words(check.standing));
    let fine = check.standing == Standing::Continue;
    let (share, bound) = if fine { check.above_caught() } else { check.beyond() };
    let name = check.metric.as_deref().map(|metric| elide(metric, NAME)).unwrap_or_default();
    let slow = if check.higher { ", slow end" } else { "" };
    let which = (1000.0 * check.quantile.unwrap_or(0.0)).round() / 10.0;
    let value = |cost: f64| digits(if check.higher { 1.0 / cost } else { cost });
    let beyond = if check.higher { "below" } else { "above" };
    match (check.quantile, check.baseline) {
        (Some(_), Some(base)) => {
            let (one, other) =
                if check.higher { (base.high, base.low) } else { (base.low, base.high) };
            format!(
                "{name} p{which}{slow}: {standing}; the baseline's is {} to {}; {} of {n} {beyond} {}, {} tolerated",
                value(one),
                value(other),
                percent(share),
                value(check.limits[usize::from(fine)]),
                percent(bound)
            )
        }
        (Some(_), None) => {
            format!("{name} p{which}{slow}: {standing}; the baseline has too few values for it")
        }
        _ => format!("errors: {standing}; {} of {n}, {} tolerated", percent(share), percent(bound)),
    }
}
