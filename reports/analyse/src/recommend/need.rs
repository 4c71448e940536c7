//! Needs: what is required, of how much work, at whose prices.

use serde::Serialize;
use yardstick_record::Direction;

use super::facts::Family;
use crate::predict::Class;

/// A quantity that can be required, ranked by, or shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "names and units are in the table below")]
pub enum What {
    TokensPerSecond,
    PrefillTokensPerSecond,
    TtftMs,
    LatencyP95Ms,
    TokenLatencyP95Ms,
    MemoryGib,
    Watts,
    IdleWatts,
    BatteryHours,
    JoulesPerToken,
    KldMean,
    PerplexityRatio,
    Accuracy,
    Price,
    Headroom,
    TotalCost,
    CostPerMillionTokens,
}

/// What, its name in files, its unit, what it is, and which way is better.
type Line = (What, &'static str, &'static str, &'static str, Direction);

const TABLE: [Line; 17] = {
    use Direction::{Higher, Lower};
    use What::{
        Accuracy, BatteryHours, CostPerMillionTokens, Headroom, IdleWatts, JoulesPerToken, KldMean,
        LatencyP95Ms, MemoryGib, PerplexityRatio, PrefillTokensPerSecond, Price, TokenLatencyP95Ms,
        TokensPerSecond, TotalCost, TtftMs, Watts,
    };
    [
        (TokensPerSecond, "tokens_per_second", "tokens/s", "decode", Higher),
        (PrefillTokensPerSecond, "prefill_tokens_per_second", "tokens/s", "prefill", Higher),
        (TtftMs, "ttft_ms", "ms", "time to first token", Lower),
        (LatencyP95Ms, "latency_p95_ms", "ms", "p95 of an answer's time", Lower),
        (TokenLatencyP95Ms, "token_latency_p95_ms", "ms", "p95 between tokens", Lower),
        (MemoryGib, "memory_gib", "GiB", "memory", Lower),
        (Watts, "watts", "W", "power", Lower),
        (IdleWatts, "idle_watts", "W", "idle power", Lower),
        (BatteryHours, "battery_hours", "h", "battery, generating without a pause", Higher),
        (JoulesPerToken, "joules_per_token", "J/token", "energy", Lower),
        (KldMean, "kld_mean", "nats", "loss of quality (KLD)", Lower),
        (PerplexityRatio, "perplexity_ratio", "", "perplexity over the largest format's", Lower),
        (Accuracy, "accuracy", "%", "right answers", Higher),
        (Price, "price", "", "price", Lower),
        (Headroom, "headroom", "", "capacity over the work", Higher),
        (TotalCost, "total_cost", "", "total cost of ownership", Lower),
        (CostPerMillionTokens, "cost_per_million_tokens", "", "cost of a million tokens", Lower),
    ]
};

impl What {
    /// Every quantity.
    pub const ALL: [What; 17] = {
        let mut all = [What::TokensPerSecond; 17];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].0;
            at += 1;
        }
        all
    };

    fn line(self) -> Line {
        TABLE.into_iter().find(|line| line.0 == self).unwrap_or(TABLE[0])
    }

    /// In files and JSON.
    pub fn name(self) -> &'static str {
        self.line().1
    }

    /// The unit; money is in the currency of the needs.
    pub fn unit(self) -> &'static str {
        self.line().2
    }

    /// In words.
    pub fn words(self) -> &'static str {
        self.line().3
    }

    /// Which way is better.
    pub fn direction(self) -> Direction {
        self.line().4
    }

    /// An amount of the needs' currency.
    pub fn is_money(self) -> bool {
        matches!(self, What::Price | What::TotalCost | What::CostPerMillionTokens)
    }
}

/// A requirement: at least one bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Requirement {
    /// Of what.
    pub what: What,
    /// The least it may be.
    pub at_least: Option<f64>,
    /// The most it may be.
    pub at_most: Option<f64>,
}

/// How much work, for how long.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Workload {
    /// Generated a day by all devices together.
    pub tokens_per_day: Option<f64>,
    /// Read before each answer; 0 where prompts are not counted.
    pub prompt_tokens: f64,
    /// Generated in an answer.
    pub answer_tokens: f64,
    /// Context before the answer's first token.
    pub depth: usize,
    /// Hours of a day in which the work arrives.
    pub hours_per_day: f64,
    /// Devices there are to be; as many as the work takes, where not said.
    pub devices: Option<f64>,
    /// Years they are kept.
    pub years: f64,
    /// Of a kWh.
    pub electricity_per_kwh: Option<f64>,
    /// Of a device's battery.
    pub battery_wh: Option<f64>,
}

/// What the user says of a machine or device: prices are not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stated {
    /// A machine's or device's name; a trailing `*` stands for any ending.
    pub name: String,
    /// Of one.
    pub price: Option<f64>,
    /// Drawn at work; a meter's value goes before it.
    pub watts: Option<f64>,
    /// Drawn at rest; a meter's value goes before it.
    pub idle_watts: Option<f64>,
}

/// What the same tokens cost elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Of one answer.
    PerRequest(f64),
    /// Of generated tokens.
    PerMillionTokens(f64),
}

/// Which candidates are asked about; empty lists let all pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Only {
    /// Device ids or backends.
    pub devices: Vec<String>,
    /// Models, or presets for all their formats.
    pub models: Vec<String>,
    /// Formats.
    pub quantisations: Vec<String>,
    /// Sorts of device, which the catalogue knows of its own.
    pub classes: Vec<Class>,
    /// Licences of the models.
    pub licences: Vec<String>,
    /// What the models are said to be good at.
    pub strengths: Vec<String>,
    /// What the models are made for.
    pub targets: Vec<String>,
}

/// How far things may be off in the worlds that a decision is tried in, as shares: 0.1 is a tenth to either side, 95 % of the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spans {
    /// Prices of devices and electricity.
    pub price: f64,
    /// Tokens a day.
    pub workload: f64,
    /// Figures that have no interval: an assumption.
    pub unknown: f64,
    /// Worlds drawn.
    pub worlds: usize,
}

impl Default for Spans {
    fn default() -> Spans {
        Spans { price: 0.1, workload: 0.25, unknown: 0.2, worlds: 1000 }
    }
}

/// Everything a decision stands on beside the records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Needs {
    /// Its name.
    pub name: String,
    /// What is required.
    pub requirements: Vec<Requirement>,
    /// How much work.
    pub workload: Workload,
    /// What the user says of machines.
    pub machines: Vec<Stated>,
    /// ISO 4217.
    pub currency: String,
    /// What the same tokens cost elsewhere.
    pub api: Option<Api>,
    /// Which candidates are asked about.
    pub only: Only,
    /// What is known of models beside what was measured.
    #[serde(skip)]
    pub families: Vec<Family>,
    /// How far things may be off.
    pub spans: Spans,
    /// What decides among those that meet every requirement; the first of cost, energy and speed that one has, where not said.
    pub rank_by: Option<What>,
}

/// `cpu*` stands for every name that begins so.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}
