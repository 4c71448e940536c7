//! The columns, in llama-bench's words and order: one line each.

use yardstick_analyse::{Interval, Level, Meter, Row, Versus, describe};
use yardstick_api::verify::Check;
use yardstick_api::{DeviceClass, Known};
use yardstick_record::{Metric, Outcome, Precision, Verification, VerificationStatus};

use crate::number::{self};
use crate::table::{Column, Kind, Shown, Tone, Value};
use Kind::{Headline, Number, Quantity, Text};
use Shown::{Always, Beside, IfApplies, IfKnown, IfVarying, Never};

/// Characters people are shown of a name.
const NAME: usize = 40;
/// Characters people are shown of a device and its class.
const DEVICE: usize = 40;

const fn column(
    id: &'static str,
    title: &'static str,
    kind: Kind,
    shown: Shown,
    value: fn(&Row) -> Value,
) -> Column {
    Column { id, title, kind, shown, value }
}

const fn metric(
    metric: Metric,
    id: &'static str,
    title: &'static str,
    shown: Shown,
    value: fn(&Row) -> Value,
) -> Column {
    column(id, title, Quantity(metric), shown, value)
}

/// A score of quality: its value function is made of its metric's name.
macro_rules! score {
    ($metric:ident, $id:literal, $title:literal, $shown:expr) => {
        metric(Metric::$metric, $id, $title, $shown, |row| quantity(row, Metric::$metric))
    };
}

/// Every column there is.
pub(crate) const COLUMNS: &[Column] = &[
    column("model", "model", Text, Always(0), |row| name(&row.model)),
    column("model_sha256", "SHA-256", Text, Never, |row| known_text(&row.cell.model.sha256)),
    column("architecture", "arch", Text, Never, |row| known_text(&row.cell.model.architecture)),
    column("quantisation", "quant", Text, Never, |row| known_text(&row.cell.model.quantisation)),
    column("size_bytes", "size", Number, Always(6), |row| {
        counted(&row.cell.model.file_bytes, |n| number::bytes(n as f64))
    }),
    column("params", "params", Number, Always(8), |row| {
        counted(&row.cell.model.parameters, number::params)
    }),
    column("device", "device", Text, Always(0), device),
    column("device_name", "device name", Text, Never, |row| known_text(&row.device_name)),
    column("device_class", "class", Text, Never, |row| {
        known_text(&row.class.clone().map(|class| class_name(class).to_owned()))
    }),
    column("threads", "threads", Number, Always(5), |row| {
        counted(&row.threads.clone().map(|n| n as u64), |n| n.to_string())
    }),
    column("threads asked", "threads asked", Text, Never, |row| setting(row, "threads asked")),
    column("context", "context", Text, IfVarying(1), |row| setting(row, "context")),
    column("sequences", "sequences", Text, IfVarying(1), |row| setting(row, "sequences")),
    column("chunk", "chunk", Text, IfVarying(1), |row| setting(row, "chunk")),
    column("kv", "kv", Text, IfVarying(1), |row| setting(row, "kv")),
    column("kv_bytes", "KV cache", Number, Beside("kv", 2), |row| {
        counted(&row.kv_bytes, |n| number::bytes(n as f64))
    }),
    column("numerics", "numerics", Text, IfVarying(1), |row| setting(row, "numerics")),
    column("weights", "weights", Text, IfApplies(0), |row| setting(row, "weights")),
    column("repack", "repack", Text, IfVarying(1), |row| setting(row, "repack")),
    column("profile", "profile", Text, IfVarying(1), |row| setting(row, "profile")),
    column("imported", "imported", Text, IfVarying(1), |row| setting(row, "imported")),
    column("cap", "cap", Text, IfApplies(1), |row| setting(row, "cap")),
    column("soak", "soak", Text, IfApplies(1), |row| setting(row, "soak")),
    column("machine", "machine", Text, IfVarying(1), |row| setting(row, "machine")),
    column("build", "build", Text, IfApplies(0), |row| setting(row, "build")),
    column("program", "program", Text, IfVarying(1), |row| setting(row, "program")),
    column("test", "test", Text, Always(0), |row| name(&row.cell.test.to_string())),
    column("result", "t/s", Headline, Always(0), |row| quantity(row, row.headline())),
    metric(Metric::TokensPerSecond, "tokens_per_second", "t/s", Never, |row| {
        quantity(row, Metric::TokensPerSecond)
    }),
    metric(Metric::TimeNs, "time_ns", "time", Never, |row| quantity(row, Metric::TimeNs)),
    metric(Metric::BytesPerSecond, "bytes_per_second", "bytes/s", Never, |row| {
        quantity(row, Metric::BytesPerSecond)
    }),
    metric(Metric::OperationsPerSecond, "operations_per_second", "operations/s", Never, |row| {
        quantity(row, Metric::OperationsPerSecond)
    }),
    score!(Perplexity, "perplexity", "perplexity", Never),
    score!(KldMean, "kld_mean", "KLD", Never),
    score!(KldP99, "kld_p99", "KLD p99", IfApplies(2)),
    score!(KldMax, "kld_max", "KLD max", IfApplies(3)),
    score!(KldMeanT3, "kld_mean_t3", "KLD at T=3", IfApplies(4)),
    score!(KldP99T3, "kld_p99_t3", "KLD p99 at T=3", Never),
    score!(KldMaxT3, "kld_max_t3", "KLD max at T=3", Never),
    score!(Top1Agreement, "top1_agreement", "same top 1", IfApplies(2)),
    score!(Top5Agreement, "top5_agreement", "same top 5", IfApplies(4)),
    score!(Accuracy, "accuracy", "accuracy", Never),
    score!(AccuracyUnnormalised, "accuracy_unnormalised", "plain", IfApplies(3)),
    score!(Refusals, "refusals", "refusals", IfApplies(2)),
    score!(MatchingTokens, "matching_tokens", "same tokens", Never),
    score!(Repeatable, "repeatable", "repeatable", IfApplies(2)),
    metric(Metric::TimeMeanNs, "time_mean_ns", "mean time", Never, |row| {
        quantity(row, Metric::TimeMeanNs)
    }),
    metric(Metric::TimeP95Ns, "time_p95_ns", "p95", IfApplies(2), |row| {
        quantity(row, Metric::TimeP95Ns)
    }),
    score!(AnswerTokens, "answer_tokens", "tokens/answer", IfApplies(3)),
    score!(ErrorRate, "error_rate", "errors", IfApplies(2)),
    metric(Metric::FirstTokenNs, "first_token_ns", "first token", Never, |row| {
        quantity(row, Metric::FirstTokenNs)
    }),
    metric(Metric::PrefixSaving, "prefix_saving", "prefix saved", IfApplies(2), |row| {
        quantity(row, Metric::PrefixSaving)
    }),
    metric(Metric::Goodput, "goodput", "goodput", Never, |row| quantity(row, Metric::Goodput)),
    metric(Metric::Capacity, "capacity", "capacity", Never, |row| quantity(row, Metric::Capacity)),
    metric(Metric::RequestErrors, "request_errors", "errors", IfApplies(2), |row| {
        quantity(row, Metric::RequestErrors)
    }),
    metric(Metric::Slowdown, "slowdown", "slowdown", IfApplies(2), |row| {
        quantity(row, Metric::Slowdown)
    }),
    metric(Metric::ChecksPassed, "checks_passed", "checks passed", Never, |row| {
        quantity(row, Metric::ChecksPassed)
    }),
    column("data", "data", Text, IfVarying(1), |row| setting(row, "data")),
    column("reference", "held against", Text, IfApplies(6), |row| setting(row, "reference")),
    metric(Metric::TokenLatencyNs, "token_latency_ns", "token latency", IfApplies(9), |row| {
        quantity(row, Metric::TokenLatencyNs)
    }),
    column("token_gaps", "gaps", Number, Never, |row| {
        row.latency.as_ref().map_or(Value::Blank, |latency| count(latency.n))
    }),
    column("token_latency_p50_ns", "p50", Number, Never, |row| percentile(row, 50)),
    column("token_latency_p90_ns", "p90", Number, Never, |row| percentile(row, 90)),
    column("token_latency_p99_ns", "p99", Number, Never, |row| percentile(row, 99)),
    metric(Metric::TokenLatencyP95Ns, "token_latency_p95_ns", "p95", Never, |row| {
        quantity(row, Metric::TokenLatencyP95Ns)
    }),
    column("ratio", "ratio", Number, Never, |row| versus(row, |v| number(v.ratio.median))),
    column("ratio_low", "ratio from", Number, Never, |row| bound(row, |i| i.low)),
    column("ratio_high", "ratio to", Number, Never, |row| bound(row, |i| i.high)),
    column("ratio_confidence", "ratio confidence", Number, Never, |row| {
        bound(row, |i| i.confidence)
    }),
    column("ratio_n", "ratio n", Number, Never, |row| versus(row, |v| count(v.ratio.n))),
    column("ratio_paired", "paired", Text, Never, |row| {
        versus(row, |v| plain(if v.ratio.paired { "paired" } else { "unpaired" }))
    }),
    column("ratio_method", "method", Text, Never, |row| {
        versus(row, |v| plain(v.ratio.method.name()))
    }),
    column("ratio_against", "against", Text, Never, |row| versus(row, |v| plain(&v.against))),
    column("ratio_shows", "shows", Text, Never, |row| {
        versus(row, |v| plain(&crate::ratios::words(v)))
    }),
    column("noise_floor", "noise floor", Number, Never, |row| {
        versus(row, |v| v.noise_floor.value().map_or(Value::Blank, |&floor| number(floor)))
    }),
    column("drift", "drift", Text, Never, |row| {
        let drift = row.ratio.as_ref().and_then(|v| v.drift).or(row.drift);
        drift.map_or(Value::Blank, |drift| plain(&drift.describe()))
    }),
    metric(Metric::PeakRssBytes, "peak_rss_bytes", "memory", IfApplies(3), |row| {
        quantity(row, Metric::PeakRssBytes)
    }),
    metric(Metric::RssBytes, "rss_bytes", "memory on average", Never, |row| {
        quantity(row, Metric::RssBytes)
    }),
    metric(Metric::CpuCores, "cpu_cores", "cores", IfApplies(10), |row| {
        quantity(row, Metric::CpuCores)
    }),
    metric(Metric::JoulesPerToken, "joules_per_token", "J/token", IfKnown(2), |row| {
        quantity(row, Metric::JoulesPerToken)
    }),
    column("energy_uncertainty_percent", "± meter", Number, IfKnown(6), |row| {
        meter(row, |meter| match meter.uncertainty_percent() {
            Some(percent) => Value::Number(percent, format!("{percent:.1} %")),
            None => Value::Blank,
        })
    }),
    column("energy_scope", "metered", Text, IfKnown(2), |row| meter(row, |m| plain(&m.scope))),
    column("energy_meter", "meter", Text, Never, |row| meter(row, |m| plain(&m.name))),
    column("energy_source", "source", Text, Never, |row| meter(row, |m| plain(&m.source))),
    column("energy_rate_hz", "rate", Number, Never, |row| observed(row, |p| p.rate_hz)),
    column("energy_coverage", "coverage", Number, Never, |row| observed(row, |p| p.coverage)),
    metric(Metric::MeanWatts, "mean_watts", "W", IfKnown(4), |row| {
        quantity(row, Metric::MeanWatts)
    }),
    metric(Metric::PeakWatts, "peak_watts", "peak W", IfKnown(9), |row| {
        quantity(row, Metric::PeakWatts)
    }),
    metric(Metric::IdleWatts, "idle_watts", "idle W", IfKnown(8), |row| {
        quantity(row, Metric::IdleWatts)
    }),
    metric(Metric::TokensPerKwh, "tokens_per_kwh", "tokens/kWh", IfKnown(10), |row| {
        quantity(row, Metric::TokensPerKwh)
    }),
    metric(
        Metric::Co2GramsPerMillionTokens,
        "co2_grams_per_million_tokens",
        "g CO2/Mtoken (estimate)",
        IfApplies(5),
        |row| quantity(row, Metric::Co2GramsPerMillionTokens),
    ),
    column("verification", "verified", Text, Always(0), verdict),
    column("nmse", "NMSE (limit)", Number, Always(7), nmse_within),
    column("divergence_nats", "KL to file", Number, IfApplies(0), divergence),
    column("placement", "placed", Text, IfApplies(1), placement),
    column("nmse_limit", "limit", Number, Never, |row| match nmse(&row.verification) {
        Some(check) => Value::Number(check.limit, String::new()),
        None => Value::Blank,
    }),
    metric(Metric::PercentOfLimit, "percent_of_limit", "% of limit", IfApplies(3), |row| {
        quantity(row, Metric::PercentOfLimit)
    }),
    column("limit", "limit", Text, IfApplies(3), |row| match &row.limit {
        Some(limit) => plain(limit),
        None => Value::Blank,
    }),
    metric(
        Metric::PercentOfSustained,
        "percent_of_sustained",
        "% of sustained",
        IfKnown(11),
        |row| quantity(row, Metric::PercentOfSustained),
    ),
    column("launches", "launches", Number, Never, |row| count(row.launches)),
    column("samples", "samples", Number, Never, |row| count(row.samples)),
    column("n", "n", Text, Always(4), n),
    column("marks", "marks", Text, IfApplies(5), marks),
    column("set_apart", "set apart", Number, Never, |row| count(row.set_apart)),
    column("outcome", "outcome", Text, Never, |row| plain(status(&row.outcome))),
    column("reason", "reason", Text, Never, reason),
    column("not_ranked", "not ranked", Text, Never, |row| match &row.not_ranked {
        Some(why) => plain(why),
        None => Value::Blank,
    }),
    column("rerun", "rerun", Text, Never, |row| plain(&row.rerun)),
];

fn plain(text: &str) -> Value {
    Value::Text(text.to_owned(), NAME)
}

fn name(text: &str) -> Value {
    Value::Text(text.to_owned(), NAME)
}

fn known_text(known: &Known<String>) -> Value {
    match known {
        Known::Value(text) => plain(text),
        Known::Unavailable { unavailable } => Value::Missing(unavailable.clone()),
    }
}

fn counted(known: &Known<u64>, show: impl Fn(u64) -> String) -> Value {
    match known {
        Known::Value(n) => Value::Number(*n as f64, show(*n)),
        Known::Unavailable { unavailable } => Value::Missing(unavailable.clone()),
    }
}

fn count(n: usize) -> Value {
    Value::Number(n as f64, n.to_string())
}

fn number(value: f64) -> Value {
    Value::Number(value, String::new())
}

fn versus(row: &Row, value: impl Fn(&Versus) -> Value) -> Value {
    row.ratio.as_ref().map_or(Value::Blank, value)
}

/// An end of a ratio's interval.
fn bound(row: &Row, end: fn(&Interval) -> f64) -> Value {
    versus(row, |v| v.ratio.interval.value().map_or(Value::Blank, |i| number(end(i))))
}

fn setting(row: &Row, name: &str) -> Value {
    row.settings.get(name).map_or(Value::Blank, |value| plain(value))
}

/// Of the meter behind the row's energy.
fn meter(row: &Row, value: impl Fn(&Meter) -> Value) -> Value {
    row.meter.value().map_or(Value::Blank, value)
}

fn observed(row: &Row, of: fn(&Precision) -> f64) -> Value {
    meter(row, |meter| meter.precision.as_ref().map_or(Value::Blank, |p| number(of(p))))
}

fn quantity(row: &Row, metric: Metric) -> Value {
    match row.metrics.get(&metric) {
        None => Value::Blank,
        Some(Known::Value(estimate)) => Value::Quantity(metric, estimate.clone()),
        Some(Known::Unavailable { unavailable }) => Value::Missing(unavailable.clone()),
    }
}

/// A percentile of token latency, where n carries it.
fn percentile(row: &Row, percent: u8) -> Value {
    let percentiles = row.latency.iter().flat_map(|latency| &latency.percentiles);
    match percentiles.into_iter().find(|found| found.percent == percent).map(|p| &p.value) {
        Some(Known::Value(ns)) => Value::Number(*ns, String::new()),
        Some(Known::Unavailable { unavailable }) => Value::Missing(unavailable.clone()),
        None => Value::Blank,
    }
}

/// The device, with its class where its speed must not be taken for hardware's.
fn device(row: &Row) -> Value {
    if let Some(origin) = &row.origin {
        return Value::Text(format!("{} ({})", row.cell.device, origin.format), DEVICE);
    }
    match row.class.value() {
        Some(&class) if class != DeviceClass::Hardware => {
            Value::Text(format!("{} ({})", row.cell.device, class_name(class)), DEVICE)
        }
        _ => Value::Text(row.cell.device.clone(), DEVICE),
    }
}

/// For people: `hardware`, `software`, `emulated`.
pub(crate) fn class_name(class: DeviceClass) -> &'static str {
    match class {
        DeviceClass::Hardware => "hardware",
        DeviceClass::Software => "software",
        DeviceClass::Emulated => "emulated",
    }
}

fn verdict(row: &Row) -> Value {
    if let Some(origin) = &row.origin {
        let reason = format!("imported from {}, not verified here", origin.format);
        return Value::Unproven("imported", reason);
    }
    match &row.level {
        Some(Level::SelfReported { why }) => return Value::Unproven("self-reported", why.clone()),
        Some(Level::Reproduced { .. }) => {
            return Value::Verdict(Tone::Good, "reproduced".to_owned());
        }
        None => {}
    }
    match &row.verification.status {
        VerificationStatus::Passed => Value::Verdict(Tone::Good, "passed".to_owned()),
        VerificationStatus::Failed => Value::Verdict(Tone::Bad, "FAILED".to_owned()),
        VerificationStatus::Skipped { reason } if reason.starts_with("unverified") => {
            Value::Unproven("unverified", reason.clone())
        }
        VerificationStatus::Skipped { reason } => Value::Missing(format!("not verified: {reason}")),
    }
}

/// The check of the logits nearest its limit. `generate` is no NMSE: it is judged by the logits of its tokens.
pub(crate) fn nmse(verification: &Verification) -> Option<&Check> {
    let share = |check: &Check| check.value.value().map_or(f64::INFINITY, |v| v / check.limit);
    let logits = verification.checks.iter().filter(|check| check.name != "generate");
    logits.max_by(|a, b| share(a).total_cmp(&share(b)))
}

/// Of weights that were rounded anew, nats a token.
fn divergence(row: &Row) -> Value {
    match &row.verification.divergence {
        None => Value::Blank,
        Some(nats) => match nats.value() {
            Some(&nats) => Value::Number(nats, number::scientific(nats)),
            None => Value::Missing(nats.reason().unwrap_or("not finite").to_owned()),
        },
    }
}

/// Whether all of it ran on the device; a footnote says who took what where not.
fn placement(row: &Row) -> Value {
    match &row.placement {
        None => Value::Blank,
        Some(told) if told.starts_with("placed 100 %") => plain("100 %"),
        Some(told) => Value::Unproven("partial", told.clone()),
    }
}

/// `6.5e-4 (3e-3)`: the value and the most it may be.
fn nmse_within(row: &Row) -> Value {
    let Some(check) = nmse(&row.verification) else { return Value::Blank };
    match check.value.value() {
        Some(&value) => {
            let limit = number::scientific(check.limit).replace(".0e", "e");
            let text = format!("{} ({limit})", number::scientific(value));
            Value::Number(value, text)
        }
        None => Value::Missing(check.value.reason().unwrap_or("not finite").to_owned()),
    }
}

/// `3 × 10`: launches used and samples of each; `~` where launches differ.
fn n(row: &Row) -> Value {
    let per_launch = row.samples.div_ceil(row.measured.max(1));
    let even = if per_launch * row.measured == row.samples { "" } else { "~" };
    let text = match row.samples {
        0 => "0".to_owned(),
        _ => format!("{} × {even}{per_launch}", row.measured),
    };
    Value::Text(text, NAME)
}

/// Outside evidence against samples.
fn marks(row: &Row) -> Value {
    let mut words: Vec<String> =
        row.marks.iter().map(|(mark, samples)| format!("{mark} ({samples})")).collect();
    if row.set_apart > 0 {
        words.push(format!("{} set apart", row.set_apart));
    }
    if row.unsteady > 0 {
        words.push(format!("never steady ({})", row.unsteady));
    }
    if row.drift.is_some() {
        words.push("drift".to_owned());
    }
    if words.is_empty() { Value::Blank } else { Value::Text(words.join(", "), NAME) }
}

/// How a cell ended, in one word.
pub(crate) fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Failed { .. } => "failed",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Invalid { .. } => "invalid",
    }
}

fn reason(row: &Row) -> Value {
    if !row.outcome.is_ok() {
        return plain(&describe(&row.outcome));
    }
    let reasons: Vec<&str> = row.reasons.keys().map(String::as_str).collect();
    if reasons.is_empty() { Value::Blank } else { plain(&reasons.join("; ")) }
}
