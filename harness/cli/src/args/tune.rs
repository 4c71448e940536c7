//! Flags of `tune`.

use super::{Metering, Programs, Quality};

/// `yardstick tune`
#[derive(clap::Args, Clone)]
pub(crate) struct Tune {
    /// What is asked and what may vary: voice, phone, laptop, edge, server, or a file of needs (suites/FORMAT.md)
    #[arg(long, visible_alias = "need", value_name = "NAME|FILE")]
    pub(crate) profile: String,
    /// The model: a preset (in every format of the profile), a file in F16, BF16 or F32 (quantised into every format), or files
    /// as they are; repeatable
    #[arg(long, short, value_name = "MODEL", required = true)]
    pub(crate) model: Vec<String>,
    /// The device
    #[arg(long, short, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// How long it may take: the search is cut to it, and what is left out is told
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    pub(crate) minutes: f64,
    /// Launches of each finalist, as far as the time allows
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..=100))]
    pub(crate) launches: u32,
    /// Formats to try, instead of the profile's
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) quantisations: Vec<String>,
    /// Threads to try, the first to start with: a list and ranges [default: the profile's, else all cores, half of them, ... 1]
    #[arg(long, value_name = "LIST")]
    pub(crate) threads: Option<String>,
    /// Key and value storage to try
    #[arg(long, value_name = "LIST")]
    pub(crate) kv: Option<String>,
    /// Numerics classes to try
    #[arg(long, value_name = "LIST")]
    pub(crate) numerics: Option<String>,
    /// Sequences to try
    #[arg(long, value_name = "LIST")]
    pub(crate) sequences: Option<String>,
    /// Shares of the layers to take out of the models ahead: 0.1,0.25
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) prune: Vec<f64>,
    #[command(flatten)]
    pub(crate) quality: Quality,
    /// Measure each test for so long that meters can follow [default: 10 seconds]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10")]
    pub(crate) energy: Option<f64>,
    /// JSON, with every figure and the records behind it
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) programs: Programs,
    #[command(flatten)]
    pub(crate) metering: Metering,
}
