//! Numbers for people: units chosen by size, digits by precision.

use yardstick_analyse::{Estimate, Interval};
use yardstick_record::Metric;

/// `52.13`, `812.4`, `12340`: about four digits.
pub(crate) fn digits(value: f64) -> String {
    format!("{value:.*}", decimals(value))
}

fn decimals(value: f64) -> usize {
    match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 0.1 || v == 0.0 => 2,
        _ => 4,
    }
}

/// `91.4 MiB`, `1.25 GiB`.
pub(crate) fn bytes(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let (divisor, unit) = byte_scale(value);
    format!("{} {unit}", digits(value / divisor))
}

fn byte_scale(value: f64) -> (f64, &'static str) {
    const KIB: f64 = 1024.0;
    match value.abs() {
        v if v < KIB * KIB => (KIB, "KiB"),
        v if v < 10.0 * KIB * KIB * KIB => (KIB * KIB, "MiB"),
        _ => (KIB * KIB * KIB, "GiB"),
    }
}

/// `134.52 M`, `1.24 B`.
pub(crate) fn params(value: u64) -> String {
    match value as f64 {
        v if v >= 1e9 => format!("{:.2} B", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v => format!("{:.1} K", v / 1e3),
    }
}

fn time_scale(ns: f64) -> (f64, &'static str) {
    match ns.abs() {
        v if v < 1e3 => (1.0, "ns"),
        v if v < 1e6 => (1e3, "µs"),
        v if v < 1e10 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

/// `6.5e-4`.
pub(crate) fn scientific(value: f64) -> String {
    format!("{value:.1e}")
}

/// Below this four decimals show less than two digits.
const SMALL: f64 = 0.001;
/// Decimals at most.
const MOST_PLACES: f64 = 8.0;

/// Median ± the farther end of its interval, without the unit.
pub(crate) fn plain_estimate(metric: Metric, estimate: &Estimate) -> String {
    let (divisor, unit) = scale(metric, estimate.median);
    let half = estimate.interval.value().map(|interval| reach(estimate.median, interval) / divisor);
    let median = estimate.median / divisor;
    let places = half.map_or_else(|| decimals(median), |half| places(median, half));
    // A divergence of 8-bit weights is small beside one of 2-bit weights, and not nothing.
    let write = |value: f64| match unit == "nats" && median.abs() < SMALL {
        true => scientific(value),
        false => format!("{value:.places$}"),
    };
    match half {
        Some(half) => format!("{} ± {}", write(median), write(half)),
        None => write(median),
    }
}

/// Decimals that show a digit of an error above 0: `± 0.0000` would say that there is none.
fn places(median: f64, half: f64) -> usize {
    let places = decimals(median);
    if half <= 0.0 || half >= 0.5 * 0.1_f64.powi(places as i32) {
        return places;
    }
    (-half.log10()).ceil().clamp(places as f64, MOST_PLACES) as usize
}

/// Median ± the farther end of its interval.
pub(crate) fn estimate(metric: Metric, estimate: &Estimate) -> String {
    let (divisor, unit) = scale(metric, estimate.median);
    if matches!(metric, Metric::PercentOfLimit | Metric::PercentOfSustained) {
        return format!("{:.1}", estimate.median);
    }
    // Beside the speed these would only widen the table; CSV, JSON and the page's hints have them.
    let spread = !matches!(
        metric,
        Metric::PeakRssBytes
            | Metric::RssBytes
            | Metric::CpuCores
            | Metric::MeanWatts
            | Metric::TokensPerKwh
    );
    let text = match spread {
        true => plain_estimate(metric, estimate),
        false => digits(estimate.median / divisor),
    };
    join(text, unit)
}

/// A value with its unit: `7.85 ms`.
pub(crate) fn value(metric: Metric, value: f64) -> String {
    let (divisor, unit) = scale(metric, value);
    join(digits(value / divisor), unit)
}

/// A number that was written in a metric's own scale, with its unit in full: `41.20 ± 0.30 tokens/s`.
pub(crate) fn with_unit(metric: Metric, number: &str, median: f64) -> String {
    let (_, unit) = scale(metric, median);
    join(number.to_owned(), if unit.is_empty() { metric.unit() } else { unit })
}

/// A value with its unit in full: `20.00 tokens/s`.
pub fn full(metric: Metric, value: f64) -> String {
    let (divisor, _) = scale(metric, value);
    with_unit(metric, &digits(value / divisor), value)
}

/// The longer arm of an interval that need not be symmetric.
fn reach(median: f64, interval: &Interval) -> f64 {
    (interval.high - median).max(median - interval.low)
}

/// `49.80 to 52.44 tokens/s (95.0 %)`.
pub(crate) fn interval(metric: Metric, interval: &Interval) -> String {
    let (divisor, unit) = scale(metric, interval.high);
    let unit = if unit.is_empty() { metric.unit() } else { unit };
    let (low, high) = (digits(interval.low / divisor), digits(interval.high / divisor));
    format!("{low} to {high} {unit} ({:.1} %)", interval.confidence * 100.0)
}

fn scale(metric: Metric, value: f64) -> (f64, &'static str) {
    match metric {
        Metric::PeakRssBytes | Metric::RssBytes => byte_scale(value),
        Metric::TimeNs
        | Metric::TimeMeanNs
        | Metric::TimeP95Ns
        | Metric::FirstTokenNs
        | Metric::TokenLatencyNs
        | Metric::TokenLatencyP95Ns => time_scale(value),
        Metric::TokensPerSecond
        | Metric::CpuCores
        | Metric::PercentOfLimit
        | Metric::PercentOfSustained
        | Metric::JoulesPerToken
        | Metric::MeanWatts
        | Metric::PeakWatts
        | Metric::IdleWatts
        | Metric::TokensPerKwh
        | Metric::Co2GramsPerMillionTokens => (1.0, ""),
        Metric::Goodput | Metric::Capacity => (1.0, "req/s"),
        Metric::BytesPerSecond => (1e9, "GB/s"),
        Metric::OperationsPerSecond => (1e9, "GOP/s"),
        // It has no unit, and stands in a column of speeds.
        Metric::Perplexity => (1.0, "ppl"),
        score => (1.0, score.unit()),
    }
}

fn join(number: String, unit: &str) -> String {
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        let table = [
            (digits(52.134), "52.13"),
            (digits(812.44), "812.4"),
            (digits(12_340.2), "12340"),
            (digits(0.0123), "0.0123"),
            (digits(0.0), "0.00"),
            (bytes(91.4 * 1_048_576.0), "91.40 MiB"),
            (bytes(24.0 * 1_073_741_824.0), "24.00 GiB"),
            (params(134_515_008), "134.52 M"),
            (params(1_235_814_400), "1.24 B"),
            (scientific(6.54e-4), "6.5e-4"),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_error_is_never_written_as_nothing() {
        let of = |median, half| (places(median, half), format!("{half:.*}", places(median, half)));
        assert_eq!(of(0.0016, 3.1e-5), (5, "0.00003".to_owned()));
        assert_eq!(of(0.0051, 1.0e-4), (4, "0.0001".to_owned()));
        assert_eq!(of(40.87, 2.37), (2, "2.37".to_owned()));
        assert_eq!(of(9376.0, 0.2), (1, "0.2".to_owned()));
        assert_eq!(of(1.0, 0.0).0, 2, "exactly known");
    }
}
