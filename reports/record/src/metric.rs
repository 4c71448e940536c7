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
    /// Mean time of a repetition (`load`, `ttft`, `prompts`), nanoseconds.
    TimeMeanNs,
    /// Time from one emit to the next that 95 % of a launch's gaps do not exceed, nanoseconds.
    TokenLatencyP95Ns,
    /// Peak resident memory of the worker during the test, bytes.
    PeakRssBytes,
    /// Resident memory of the worker, the mean over the test, bytes; where nobody looked from moment to moment that as the test ended.
    RssBytes,
    /// CPU time per wall time, cores.
    CpuCores,
    /// Share of the measured limit, percent: of the read bandwidth for `tg`, of the arithmetic peak for `pp`.
    PercentOfLimit,
    /// Share of the read bandwidth that reading alone kept up right before and after the samples (`tg`), percent. Both are rates of
    /// moments, so that it may exceed 100.
    PercentOfSustained,
    /// Bytes read per second (`read@`).
    BytesPerSecond,
    /// Multiplications and additions per second (`peak-`).
    OperationsPerSecond,
    /// Energy that the device's widest meter saw, a token, joules.
    JoulesPerToken,
    /// Mean power over the samples by that meter, watts.
    MeanWatts,
    /// Its highest reading, watts.
    PeakWatts,
    /// Its reading while the loaded worker did nothing, before and after the test, watts.
    IdleWatts,
    /// Tokens a kWh.
    TokensPerKwh,
    /// Grams of CO2 a million tokens, an estimate from the user's own factor of their grid.
    Co2GramsPerMillionTokens,
    /// Time that 95 % of a user's prompts do not exceed, from text to text, nanoseconds.
    TimeP95Ns,
    /// Median time to the first token of a turn or a request, from its prompt or its arrival, nanoseconds.
    FirstTokenNs,
    /// Share of the time to the first token that kept keys and values save, over all turns but the first ones.
    PrefixSaving,
    /// Requests per second that keep the objective.
    Goodput,
    /// The highest rate of requests that was seen to meet the objective.
    Capacity,
    /// Requests that failed, timed out or were turned away.
    RequestErrors,
    /// How much slower a process generates while others do the same.
    Slowdown,
    /// Hard inputs of which came what should.
    ChecksPassed,
    /// Perplexity of a text: e to the mean negative log-likelihood of its tokens.
    Perplexity,
    /// Mean Kullback-Leibler divergence from the reference's predictions, nats a position.
    KldMean,
    /// The divergence that 99 % of positions do not exceed.
    KldP99,
    /// The largest divergence.
    KldMax,
    /// Mean divergence at temperature 3, where unlikely words count for more.
    KldMeanT3,
    /// The divergence at temperature 3 that 99 % of positions do not exceed.
    KldP99T3,
    /// The largest divergence at temperature 3.
    KldMaxT3,
    /// Positions whose likeliest word is the reference's.
    Top1Agreement,
    /// How many of the reference's five likeliest words are among the five likeliest.
    Top5Agreement,
    /// Answers that are right; of choices, weighed by log-likelihood per byte.
    Accuracy,
    /// Choices that are right, weighed by plain log-likelihood.
    AccuracyUnnormalised,
    /// Questions without an answer that were not answered.
    Refusals,
    /// Tokens of greedy text until it first differs from the reference's; at most those that were generated.
    MatchingTokens,
    /// Prompts to which the same device gave the same text twice.
    Repeatable,
    /// Tokens of an answer.
    AnswerTokens,
    /// Prompts that ended in an error.
    ErrorRate,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 42] = [
        Metric::TokensPerSecond,
        Metric::TimeNs,
        Metric::TokenLatencyNs,
        Metric::TimeMeanNs,
        Metric::TokenLatencyP95Ns,
        Metric::PeakRssBytes,
        Metric::RssBytes,
        Metric::CpuCores,
        Metric::PercentOfLimit,
        Metric::PercentOfSustained,
        Metric::BytesPerSecond,
        Metric::OperationsPerSecond,
        Metric::JoulesPerToken,
        Metric::MeanWatts,
        Metric::PeakWatts,
        Metric::IdleWatts,
        Metric::TokensPerKwh,
        Metric::Co2GramsPerMillionTokens,
        Metric::TimeP95Ns,
        Metric::FirstTokenNs,
        Metric::PrefixSaving,
        Metric::Goodput,
        Metric::Capacity,
        Metric::RequestErrors,
        Metric::Slowdown,
        Metric::ChecksPassed,
        Metric::Perplexity,
        Metric::KldMean,
        Metric::KldP99,
        Metric::KldMax,
        Metric::KldMeanT3,
        Metric::KldP99T3,
        Metric::KldMaxT3,
        Metric::Top1Agreement,
        Metric::Top5Agreement,
        Metric::Accuracy,
        Metric::AccuracyUnnormalised,
        Metric::Refusals,
        Metric::MatchingTokens,
        Metric::Repeatable,
        Metric::AnswerTokens,
        Metric::ErrorRate,
    ];

    /// The name used in suites, CSV and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Metric::TokensPerSecond => "tokens_per_second",
            Metric::TimeNs => "time_ns",
            Metric::TokenLatencyNs => "token_latency_ns",
            Metric::TimeMeanNs => "time_mean_ns",
            Metric::TokenLatencyP95Ns => "token_latency_p95_ns",
            Metric::PeakRssBytes => "peak_rss_bytes",
            Metric::RssBytes => "rss_bytes",
            Metric::CpuCores => "cpu_cores",
            Metric::PercentOfLimit => "percent_of_limit",
            Metric::PercentOfSustained => "percent_of_sustained",
            Metric::BytesPerSecond => "bytes_per_second",
            Metric::OperationsPerSecond => "operations_per_second",
            Metric::TimeP95Ns => "time_p95_ns",
            Metric::FirstTokenNs => "first_token_ns",
            Metric::PrefixSaving => "prefix_saving",
            Metric::Goodput => "goodput",
            Metric::Capacity => "capacity",
            Metric::RequestErrors => "request_errors",
            Metric::Slowdown => "slowdown",
            Metric::ChecksPassed => "checks_passed",
            Metric::Perplexity => "perplexity",
            Metric::KldMean => "kld_mean",
            Metric::KldP99 => "kld_p99",
            Metric::KldMax => "kld_max",
            Metric::KldMeanT3 => "kld_mean_t3",
            Metric::KldP99T3 => "kld_p99_t3",
            Metric::KldMaxT3 => "kld_max_t3",
            Metric::Top1Agreement => "top1_agreement",
            Metric::Top5Agreement => "top5_agreement",
            Metric::Accuracy => "accuracy",
            Metric::AccuracyUnnormalised => "accuracy_unnormalised",
            Metric::Refusals => "refusals",
            Metric::MatchingTokens => "matching_tokens",
            Metric::Repeatable => "repeatable",
            Metric::AnswerTokens => "answer_tokens",
            Metric::ErrorRate => "error_rate",
            Metric::JoulesPerToken => "joules_per_token",
            Metric::MeanWatts => "mean_watts",
            Metric::PeakWatts => "peak_watts",
            Metric::IdleWatts => "idle_watts",
            Metric::TokensPerKwh => "tokens_per_kwh",
            Metric::Co2GramsPerMillionTokens => "co2_grams_per_million_tokens",
        }
    }

    /// The unit.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::TokensPerSecond => "tokens/s",
            Metric::TimeNs
            | Metric::TimeMeanNs
            | Metric::TimeP95Ns
            | Metric::FirstTokenNs
            | Metric::TokenLatencyNs
            | Metric::TokenLatencyP95Ns => "ns",
            Metric::Goodput | Metric::Capacity => "requests/s",
            Metric::PrefixSaving
            | Metric::RequestErrors
            | Metric::Slowdown
            | Metric::ChecksPassed => "%",
            Metric::PeakRssBytes | Metric::RssBytes => "bytes",
            Metric::CpuCores => "cores",
            Metric::PercentOfLimit | Metric::PercentOfSustained => "%",
            Metric::BytesPerSecond => "bytes/s",
            Metric::OperationsPerSecond => "operations/s",
            Metric::Perplexity => "",
            Metric::KldMean
            | Metric::KldP99
            | Metric::KldMax
            | Metric::KldMeanT3
            | Metric::KldP99T3
            | Metric::KldMaxT3 => "nats",
            Metric::Top1Agreement
            | Metric::Top5Agreement
            | Metric::Accuracy
            | Metric::AccuracyUnnormalised
            | Metric::Refusals
            | Metric::Repeatable
            | Metric::ErrorRate => "%",
            Metric::MatchingTokens | Metric::AnswerTokens => "tokens",
            Metric::JoulesPerToken => "J/token",
            Metric::MeanWatts | Metric::PeakWatts | Metric::IdleWatts => "W",
            Metric::TokensPerKwh => "tokens/kWh",
            Metric::Co2GramsPerMillionTokens => "g/Mtoken",
        }
    }

    /// Told by a quality test: the score of a record, not a function of its samples.
    pub fn is_score(self) -> bool {
        self >= Metric::Perplexity
    }

    /// Which way is better.
    pub fn direction(self) -> Direction {
        match self {
            Metric::TokensPerSecond
            | Metric::PercentOfLimit
            | Metric::PercentOfSustained
            | Metric::BytesPerSecond
            | Metric::OperationsPerSecond
            | Metric::Top1Agreement
            | Metric::Top5Agreement
            | Metric::Accuracy
            | Metric::AccuracyUnnormalised
            | Metric::Refusals
            | Metric::MatchingTokens
            | Metric::Repeatable
            | Metric::TokensPerKwh
            | Metric::PrefixSaving
            | Metric::Goodput
            | Metric::Capacity
            | Metric::ChecksPassed => Direction::Higher,
            Metric::TimeNs
            | Metric::TimeMeanNs
            | Metric::TimeP95Ns
            | Metric::FirstTokenNs
            | Metric::RequestErrors
            | Metric::Slowdown
            | Metric::TokenLatencyNs
            | Metric::TokenLatencyP95Ns
            | Metric::PeakRssBytes
            | Metric::RssBytes
            | Metric::CpuCores
            | Metric::Perplexity
            | Metric::KldMean
            | Metric::KldP99
            | Metric::KldMax
            | Metric::KldMeanT3
            | Metric::KldP99T3
            | Metric::KldMaxT3
            | Metric::AnswerTokens
            | Metric::ErrorRate
            | Metric::JoulesPerToken
            | Metric::MeanWatts
            | Metric::PeakWatts
            | Metric::IdleWatts
            | Metric::Co2GramsPerMillionTokens => Direction::Lower,
        }
    }
}
