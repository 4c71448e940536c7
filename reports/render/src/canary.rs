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
    for phase in canary.phases() {
        if phase.checks.iter().all(|check| check.n() == 0) {
            push_wrapped(
                &mut text,
                &format!("  {} % of the traffic: not begun", phase.percent),
                width,
            );
            continue;
        }
        let title = format!("  {} % of the traffic: {}", phase.percent, words(phase.standing()));
        push_wrapped(&mut text, &title, width);
        for check in &phase.checks {
            push_wrapped(&mut text, &format!("    {}", line(check)), width);
        }
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
    match (&check.metric, check.quantile, check.baseline) {
        (Some(metric), Some(quantile), Some(base)) => {
            let limit = check.limits[usize::from(fine)];
            format!(
                "{} p{}: {standing}; the baseline's is {} to {}; {} of {n} above {}, {} tolerated",
                elide(metric, NAME),
                (1000.0 * quantile).round() / 10.0,
                digits(base.low),
                digits(base.high),
                percent(share),
                digits(limit),
                percent(bound)
            )
        }
        (Some(metric), Some(quantile), None) => format!(
            "{} p{}: {standing}; the baseline has too few values for it",
            elide(metric, NAME),
            (1000.0 * quantile).round() / 10.0
        ),
        _ => format!("errors: {standing}; {} of {n}, {} tolerated", percent(share), percent(bound)),
    }
}
