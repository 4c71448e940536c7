//! Metrics from records: which apply to a test, and their values per launch.

use std::collections::BTreeMap;

use yardstick_api::Known;
use yardstick_record::{Metric, Record, Sample, Test};

use crate::kept::kept;
use crate::{Estimate, energy, estimate, latency, limit, scores, workload};

/// What a foreign benchmark declares that one repetition works through.
const DECLARED: &str = "bytes_per_iteration";

/// Every metric that applies to the records' test, estimated over the records (a launch each) or missing with its reason.
/// `not_ok` is the reason when the cell has no valid numbers at all.
pub(crate) fn metrics(
    test: Test,
    records: &[&Record],
    not_ok: Option<&str>,
) -> BTreeMap<Metric, Known<Estimate>> {
    let declared = records.iter().any(|record| record.reading(DECLARED).is_some());
    let applies = Metric::ALL
        .into_iter()
        .filter(|metric| applies(*metric, test) || declared && *metric == Metric::BytesPerSecond)
        .filter(|metric| !metric.is_score());
    let mut metrics = times(applies, records, not_ok);
    metrics.extend(scores::metrics(test, records, not_ok));
    metrics
}

fn times(
    applies: impl Iterator<Item = Metric>,
    records: &[&Record],
    not_ok: Option<&str>,
) -> BTreeMap<Metric, Known<Estimate>> {
    match not_ok {
        Some(reason) => applies.map(|metric| (metric, Known::unavailable(reason))).collect(),
        None => applies.map(|metric| (metric, over_launches(metric, records))).collect(),
    }
}

/// Whether a metric is one of a test's.
pub fn applies(metric: Metric, test: Test) -> bool {
    if test.is_workload() {
        return workload::applies(metric, test);
    }
    let generates = matches!(test, Test::Generate { .. });
    let unit = match test {
        Test::Limit(limit) => limit.unit(),
        _ => "",
    };
    match metric {
        Metric::TokensPerSecond => test.tokens().is_some(),
        // Of a test of quality only prompts are timed, from text to text.
        Metric::TimeNs if test.is_quality() => test == Test::Prompts,
        Metric::TimeNs => test.tokens().is_none() && matches!(unit, "" | "ns"),
        Metric::BytesPerSecond | Metric::OperationsPerSecond => unit == metric.unit(),
        Metric::TimeMeanNs => {
            matches!(test, Test::Load | Test::FirstToken { .. } | Test::Prompts)
        }
        Metric::TokenLatencyNs | Metric::TokenLatencyP95Ns => generates || test == Test::Prompts,
        Metric::TimeP95Ns => test == Test::Prompts,
        Metric::CpuCores => unit.is_empty() && !test.is_quality(),
        Metric::PercentOfSustained => generates,
        Metric::PercentOfLimit => generates || matches!(test, Test::Prefill { .. }),
        Metric::PeakRssBytes | Metric::RssBytes => unit.is_empty(),
        metric if is_energy(metric) => generates || matches!(test, Test::Prefill { .. }),
        _ => false,
    }
}

/// What a meter of power tells.
fn is_energy(metric: Metric) -> bool {
    use Metric::{IdleWatts, JoulesPerToken, MeanWatts, PeakWatts, TokensPerKwh};
    matches!(metric, JoulesPerToken | MeanWatts | PeakWatts | IdleWatts | TokensPerKwh)
}

fn over_launches(metric: Metric, records: &[&Record]) -> Known<Estimate> {
    if let (true, Known::Unavailable { unavailable }) = (is_energy(metric), energy::meter(records))
    {
        return Known::unavailable(unavailable);
    }
    let mut reason = "no samples".to_owned();
    let mut launches = Vec::new();
    for record in records {
        match values(metric, record) {
            Known::Value(values) => launches.push(values),
            Known::Unavailable { unavailable } => reason = unavailable,
        }
    }
    match estimate(&launches) {
        Some(estimate) => Known::Value(estimate),
        None => Known::unavailable(reason),
    }
}

/// The one number of a launch: the median of its values.
pub fn of_launch(metric: Metric, record: &Record) -> Known<f64> {
    if let (true, Known::Unavailable { unavailable }) =
        (is_energy(metric), energy::meter(&[record]))
    {
        return Known::unavailable(unavailable);
    }
    match values(metric, record) {
        Known::Value(values) => match crate::median(&crate::estimate::sorted(&values)) {
            Some(median) => Known::Value(median),
            None => Known::unavailable("no samples"),
        },
        Known::Unavailable { unavailable } => Known::unavailable(unavailable),
    }
}

/// The values of one launch: a value a sample, or the one reading of the test.
pub(crate) fn values(metric: Metric, record: &Record) -> Known<Vec<f64>> {
    let each = |f: &dyn Fn(&Sample) -> f64| Known::Value(kept(record).into_iter().map(f).collect());
    if is_of_workload(metric, record) {
        return workload::values(metric, record);
    }
    match metric {
        Metric::TokensPerSecond if record.samples.is_empty() => {
            no_samples(record, "ts", "tokens/s")
        }
        Metric::TimeNs if record.samples.is_empty() => no_samples(record, "ns", "ns"),
        Metric::TimeNs if matches!(record.cell.test, Test::Foreign(_) | Test::Limit(_)) => {
            each(&|s| s.nanoseconds as f64 / s.tokens as f64)
        }
        Metric::BytesPerSecond if matches!(record.cell.test, Test::Foreign(_)) => {
            let declared = record.reading(DECLARED).and_then(|reading| reading.value.value());
            let bytes = declared.copied().unwrap_or(f64::NAN);
            each(&|s| s.tokens as f64 * bytes * 1e9 / s.nanoseconds as f64)
        }
        // A limit's sample counts bytes or operations in place of tokens.
        Metric::TokensPerSecond | Metric::BytesPerSecond | Metric::OperationsPerSecond => {
            each(&|s| s.tokens as f64 * 1e9 / s.nanoseconds as f64)
        }
        Metric::TimeNs => each(&|s| s.nanoseconds as f64),
        Metric::TimeMeanNs => time_mean(record),
        Metric::TimeP95Ns => time_p95(record),
        Metric::TokenLatencyNs => token_latency(record),
        Metric::TokenLatencyP95Ns => token_latency_p95(record),
        Metric::PeakRssBytes => resident(record, "peak_rss_bytes", "the peak resident memory"),
        Metric::RssBytes => match mean_resident(record) {
            Some(mean) => Known::Value(vec![mean]),
            None => resident(record, "rss_bytes", "the resident memory"),
        },
        Metric::CpuCores => cpu_cores(record),
        Metric::PercentOfLimit => limit::percent(record),
        Metric::PercentOfSustained => limit::percent_of_sustained(record),
        metric if is_energy(metric) => energy::values(metric, record),
        score => scores::value(score, record).map(|value| vec![value]),
    }
}

/// What no other test has, and the speed of several processes.
fn is_of_workload(metric: Metric, record: &Record) -> bool {
    use Metric::{
        Capacity, ChecksPassed, FirstTokenNs, Goodput, PrefixSaving, RequestErrors, Slowdown,
    };
    let own =
        [Capacity, ChecksPassed, FirstTokenNs, Goodput, PrefixSaving, RequestErrors, Slowdown];
    let crowded = matches!(record.cell.test, Test::Together { .. });
    own.contains(&metric) || crowded && metric == Metric::TokensPerSecond
}

/// Why there is no value, with the summary that was imported instead of samples: a mean is no median, and has no interval.
fn no_samples(record: &Record, suffix: &str, unit: &str) -> Known<Vec<f64>> {
    let read = |name: &str| {
        record.reading(&format!("{name}_{suffix}")).and_then(|reading| reading.value.value())
    };
    let Some(origin) = &record.origin else { return Known::unavailable("no samples") };
    let summary = match (read("avg"), read("stddev")) {
        (Some(mean), Some(sd)) => format!(": mean {mean} ± {sd} {unit} (standard deviation)"),
        (Some(mean), None) => format!(": mean {mean} {unit}"),
        _ => String::new(),
    };
    Known::unavailable(format!("no raw samples{summary}, imported from {}", origin.format))
}

/// A sample's value is the median of its gaps, so that n counts samples and not tokens.
fn token_latency(record: &Record) -> Known<Vec<f64>> {
    let medians: Vec<f64> = kept(record)
        .into_iter()
        .filter_map(|s| crate::median(&crate::estimate::sorted(&latency::gaps(&s.emits_ns))))
        .collect();
    if let (true, Some(origin)) = (medians.is_empty(), &record.origin) {
        let format = &origin.format;
        return Known::unavailable(format!(
            "imported: {format} does not tell when each token came"
        ));
    }
    if medians.is_empty() {
        return Known::unavailable("the ids reached the host in one piece: no time between tokens");
    }
    Known::Value(medians)
}

/// The mean of a launch: medians hide the slow tail that a user waits for.
fn time_mean(record: &Record) -> Known<Vec<f64>> {
    let n = record.samples.len();
    if n == 0 {
        return no_samples(record, "ns", "ns");
    }
    let sum: f64 = record.samples.iter().map(|s| s.nanoseconds as f64).sum();
    Known::Value(vec![sum / n as f64])
}

fn time_p95(record: &Record) -> Known<Vec<f64>> {
    let times: Vec<f64> = record.samples.iter().map(|s| s.nanoseconds as f64).collect();
    p95(&times, "prompts")
}

/// Over all gaps of the launch.
fn token_latency_p95(record: &Record) -> Known<Vec<f64>> {
    let gaps: Vec<f64> = record.samples.iter().flat_map(|s| latency::gaps(&s.emits_ns)).collect();
    match gaps.is_empty() {
        true => token_latency(record),
        false => p95(&gaps, "gaps"),
    }
}

/// The order statistic at or above 95 % of the values, where there are enough of them to state one.
fn p95(values: &[f64], what: &str) -> Known<Vec<f64>> {
    let (n, least) = (values.len(), latency::least_samples(95));
    if n < least {
        return Known::unavailable(format!("n too small: {n} {what}, p95 needs {least}"));
    }
    Known::Value(vec![crate::estimate::sorted(values)[(n * 95).div_ceil(100) - 1]])
}

/// A worker whose engine is another process says so in its facts (backends/PROTOCOL.md); what was read is its own.
fn resident(record: &Record, name: &str, what: &str) -> Known<Vec<f64>> {
    let memory = record.facts.value().and_then(|facts| facts.notes.get("memory"));
    if let Some(reason) = memory.and_then(Known::reason) {
        return Known::unavailable(reason);
    }
    match record.reading(name) {
        Some(reading) => reading.value.clone().map(|bytes| vec![bytes]),
        None => Known::unavailable(format!("{what} was not read")),
    }
}

/// The mean over the test's time of what the watch saw; nothing of a worker whose memory says little (see [`resident`]).
fn mean_resident(record: &Record) -> Option<f64> {
    let memory = record.facts.value().and_then(|facts| facts.notes.get("memory"));
    let track = record.timeline.as_ref()?.track("resident_bytes")?;
    if memory.and_then(Known::reason).is_some() {
        return None;
    }
    let starts = std::iter::once(0.0).chain(track.points.iter().map(|point| point.0));
    let spans = starts.zip(&track.points).map(|(from, &(to, bytes))| ((to - from).max(0.0), bytes));
    let (seconds, area) = spans
        .fold((0.0, 0.0), |(seconds, area), (span, bytes)| (seconds + span, area + span * bytes));
    (seconds > 0.0).then(|| area / seconds)
}

fn cpu_cores(record: &Record) -> Known<Vec<f64>> {
    let cores: Vec<f64> = kept(record)
        .into_iter()
        .filter_map(|s| Some(s.cpu_ns? as f64 / s.nanoseconds as f64))
        .collect();
    if cores.is_empty() {
        return Known::unavailable("process CPU time was not read");
    }
    Known::Value(cores)
}
