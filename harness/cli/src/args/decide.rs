//! Flags of the verbs that decide: `recommend`, `check`, `route`.

use std::path::PathBuf;

use clap::ValueEnum;

/// `yardstick check`
#[derive(clap::Args)]
pub(crate) struct Check {
    /// Budgets: a file of them, or a suite with its own (suites/budgets/*.toml are examples)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) budget: PathBuf,
    /// Run ids in the store [default: the latest run]
    #[arg(conflicts_with = "records")]
    pub(crate) runs: Vec<String>,
    /// Records as export writes them, instead of the store; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) records: Vec<PathBuf>,
    /// Records that limits on change ("3 %") are held against
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// What alerts call the machine [default: its processor and memory]
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,
    #[arg(long, short, value_enum, default_value_t = CheckFormat::Terminal)]
    pub(crate) format: CheckFormat,
}

/// A form of the check.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Alerts, then what could not be judged, then what is kept.
    Terminal,
    /// Every judgement, with figures as the report has them.
    Json,
    /// Prometheus' text exposition format.
    Prometheus,
}

/// `yardstick recommend`
#[derive(clap::Args)]
pub(crate) struct Recommend {
    /// What is required (suites/needs/*.toml are examples)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) need: PathBuf,
    /// Records as export writes them, instead of the store; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) records: Vec<PathBuf>,
    /// What nobody measured, predicted: device=ID,model=NAME,depth=N,sequences=N, each optional, the device measured or of the
    /// catalogue; repeatable
    #[arg(long, value_name = "KEY=VALUE,...")]
    pub(crate) what_if: Vec<String>,
    /// Data sheets [default: the built-in suites/devices.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) catalogue: Option<PathBuf>,
    /// Seed of the worlds that the decision is tried in
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Everything, with the ids of the records behind it
    #[arg(long)]
    pub(crate) json: bool,
}

/// `yardstick route`
#[derive(clap::Args)]
pub(crate) struct Route {
    /// What a query takes of both models, and what routing must keep (suites/routes/*.toml are examples)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) plan: PathBuf,
    /// Scores of queries, JSON lines of id, small, large (0 to 1) and confidence
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: PathBuf,
    /// Records of the small model's prompts: their time counts; with --large their answers too, matched by id
    #[arg(long, value_name = "FILE")]
    pub(crate) small: Option<PathBuf>,
    /// Records of the large model's prompts
    #[arg(long, value_name = "FILE")]
    pub(crate) large: Option<PathBuf>,
    /// Every threshold
    #[arg(long)]
    pub(crate) json: bool,
}
