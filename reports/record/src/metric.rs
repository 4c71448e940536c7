//! Metrics: the names, units and directions of everything a report shows or a budget limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// A quantity derived from a record.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Tokens per second over all sequences.
    TokensPerSecond,
    /// Time of one repetition (`load`, `ttft`), nanoseconds.
    TimeNs,
    /// Time from one emit to the next, nanoseconds.
    TokenLatencyNs,
    /// Peak resident memory of the worker during the test, bytes.
    PeakRssBytes,
    /// CPU time per wall time, cores.
    CpuCores,
    /// Share of the measured limit, percent: of the read bandwidth for `tg`, of the arithmetic peak for `pp`.
    PercentOfLimit,
    /// Bytes read per second (`read@`).
    BytesPerSecond,
    /// Multiplications and additions per second (`peak-`).
    OperationsPerSecond,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 8] = [
        Metric::TokensPerSecond,
        Metric::TimeNs,
        Metric::TokenLatencyNs,
        Metric::PeakRssBytes,
        Metric::CpuCores,
        Metric::PercentOfLimit,
        Metric::BytesPerSecond,
        Metric::OperationsPerSecond,
    ];

    /// The name used in suites, CSV and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Metric::TokensPerSecond => "tokens_per_second",
            Metric::TimeNs => "time_ns",
            Metric::TokenLatencyNs => "token_latency_ns",
            Metric::PeakRssBytes => "peak_rss_bytes",
            Metric::CpuCores => "cpu_cores",
            Metric::PercentOfLimit => "percent_of_limit",
            Metric::BytesPerSecond => "bytes_per_second",
            Metric::OperationsPerSecond => "operations_per_second",
        }
    }

    /// The unit.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::TokensPerSecond => "tokens/s",
            Metric::TimeNs | Metric::TokenLatencyNs => "ns",
            Metric::PeakRssBytes => "bytes",
            Metric::CpuCores => "cores",
            Metric::PercentOfLimit => "%",
            Metric::BytesPerSecond => "bytes/s",
            Metric::OperationsPerSecond => "operations/s",
        }
    }

    /// Which way is better.
    pub fn direction(self) -> Direction {
        match self {
            Metric::TokensPerSecond
            | Metric::PercentOfLimit
            | Metric::BytesPerSecond
            | Metric::OperationsPerSecond => Direction::Higher,
            Metric::TimeNs | Metric::TokenLatencyNs | Metric::PeakRssBytes | Metric::CpuCores => {
                Direction::Lower
            }
        }
    }
}
