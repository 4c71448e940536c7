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
    #[arg(long, short, value_name = "FILE", required_unless_present = "exits")]
    pub(crate) plan: Option<PathBuf>,
    /// Scores of queries, JSON lines of id, small, large (0 to 1) and confidence; without it the answers of --small and --large count, with
    /// the small one's confidence (choice)
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: Option<PathBuf>,
    /// Records of the small model's prompts or choices: their time and energy count; with --large their answers too, matched by id
    #[arg(long, value_name = "FILE")]
    pub(crate) small: Option<PathBuf>,
    /// Records of the large model's
    #[arg(long, value_name = "FILE")]
    pub(crate) large: Option<PathBuf>,
    /// A page with the curve drawn
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Every threshold
    #[arg(long)]
    pub(crate) json: bool,
    /// Study early exits of this model instead: what its own head would say after each layer, read on a text by the reference
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["plan", "scores", "small", "large", "html"])]
    pub(crate) exits: Option<String>,
    /// --exits: the text [default: rust-docs, built in]
    #[arg(long, value_name = "FILE", requires = "exits")]
    pub(crate) text: Option<String>,
    /// --exits: windows of 128 tokens that are read
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) windows: u32,
}
