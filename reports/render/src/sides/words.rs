//! A side against the baseline, in words that say which way.

use yardstick_analyse::sides::{Effect, Line, Shift};
use yardstick_analyse::{Difference, Interval, Ratio};
use yardstick_record::{Direction, Metric};

use crate::number;
use crate::ratios::{directed, percent, places, range};

/// What people call a metric here.
pub(super) fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::TokensPerSecond | Metric::BytesPerSecond | Metric::OperationsPerSecond => "speed",
        Metric::TimeNs => "time",
        Metric::PeakRssBytes => "peak memory",
        Metric::JoulesPerToken => "J/token",
        other => other.name(),
    }
}

/// `1.85× faster [1.79, 1.92]`, `1.04× more [1.03, 1.05]`, `+0.012 [0.010, 0.014] nats, worse`, `tie: ...`.
pub(super) fn shift(line: &Line, shift: &Shift) -> String {
    match &shift.effect {
        Effect::Ratio(ratio) => of_ratio(line, shift, ratio),
        Effect::Difference { value, interval, .. } => {
            of_scores(line, shift, *value, interval.value())
        }
    }
}

fn of_ratio(line: &Line, shift: &Shift, ratio: &Ratio) -> String {
    let is_speed = line.headline && !line.metric.is_score();
    let toned = match (is_speed, line.better) {
        (true, Direction::Lower) => ratio.inverse(),
        _ => ratio.clone(),
    };
    let digits = places(&toned);
    let tie = || format!("tie: {:.digits$}{}", toned.median, range(&toned, digits));
    match shift.difference {
        Difference::Shown if is_speed => directed(&toned),
        Difference::Shown => amount(ratio),
        Difference::NotShown => tie(),
        Difference::BelowNoise => {
            let floor = shift.noise_floor.value().copied().unwrap_or(f64::NAN);
            format!("{}, noise ±{} %", tie(), percent(floor))
        }
        Difference::NoInterval => format!("{:.digits$}×, not shown: n too small", toned.median),
    }
}

/// `1.04× more [1.03, 1.05]`
fn amount(ratio: &Ratio) -> String {
    let (ratio, word) = match ratio.median >= 1.0 {
        true => (ratio.clone(), "more"),
        false => (ratio.inverse(), "less"),
    };
    let digits = places(&ratio);
    format!("{:.digits$}× {word}{}", ratio.median, range(&ratio, digits))
}

fn of_scores(line: &Line, shift: &Shift, value: f64, interval: Option<&Interval>) -> String {
    let sign = if value < 0.0 { "−" } else { "+" };
    let change = format!("{sign}{}", number::value(line.metric, value.abs()));
    let range = interval.map_or(String::new(), |i| {
        format!(" [{}, {}]", number::digits(i.low), number::digits(i.high))
    });
    match (shift.difference, shift.better) {
        (Difference::Shown, Some(true)) => format!("{change}{range}, better"),
        (Difference::Shown, _) => format!("{change}{range}, worse"),
        (Difference::NoInterval, _) => format!("{change}, not shown: no standard error"),
        _ => format!("tie: {change}{range}"),
    }
}

/// `5 pairs`, `6, 6 unpaired`, with a sign where they drift.
pub(super) fn launches(line: &Line, at: usize, shift: &Shift) -> String {
    let count = |at: usize| line.values[at].value().map_or(0, |estimate| estimate.n);
    let drift = if shift.drift.is_some() { " drift!" } else { "" };
    match shift.ratio() {
        Some(ratio) if ratio.paired => format!("{} pairs{drift}", ratio.n),
        Some(_) => format!("{}, {} unpaired{drift}", count(at), count(0)),
        None => format!("{} answers or positions", count(at)),
    }
}
