//! Flags of `yardstick profile` and `yardstick why`.

use std::path::PathBuf;

use clap::ValueEnum;

/// `yardstick profile`
#[derive(clap::Args)]
pub(crate) struct Profile {
    /// The model: a file, or preset:quantisation (llama-3.2-1b:Q4_0)
    #[arg(long, short, value_name = "MODEL")]
    pub(crate) model: String,
    /// The device: cpu, cpu:avx2
    #[arg(long, short, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// The test: ppN or tgN, with @dN for a depth
    #[arg(long, short, value_name = "TEST", default_value = "tg16")]
    pub(crate) test: String,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = super::threads)]
    pub(crate) threads: Option<usize>,
    /// Another cell, and why it differs: what is other than the flags say (threads=1; MODEL,test=tg16@d2048)
    #[arg(long, value_name = "CELL")]
    pub(crate) against: Option<String>,
    #[command(flatten)]
    pub(crate) profiling: Profiling,
}

/// `yardstick why`
#[derive(clap::Args)]
pub(crate) struct Why {
    /// One cell: MODEL, then what differs from the flags: MODEL,device=cpu,test=tg16,threads=2,kv=f16
    #[arg(value_name = "CELL")]
    pub(crate) a: String,
    /// The other, as far as it differs: a MODEL, or threads=1, or test=tg16@d2048
    #[arg(value_name = "CELL")]
    pub(crate) b: String,
    /// The device of both
    #[arg(long, short, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// The test of both
    #[arg(long, short, value_name = "TEST", default_value = "tg16")]
    pub(crate) test: String,
    /// Threads of both [default: one a core]
    #[arg(long, value_name = "N", value_parser = super::threads)]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) profiling: Profiling,
}

/// How it is measured and shown.
#[derive(clap::Args)]
pub(crate) struct Profiling {
    /// Repetitions with and without the profile, by turns
    #[arg(long, value_name = "N", default_value_t = 12,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub(crate) rounds: usize,
    /// A line for every layer too
    #[arg(long)]
    pub(crate) layers: bool,
    #[arg(long, short, value_enum, default_value_t = ProfileFormat::Terminal)]
    pub(crate) format: ProfileFormat,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write a trace of the last round too, as Chrome and Perfetto open it
    #[arg(long, value_name = "FILE.json")]
    pub(crate) trace: Option<PathBuf>,
    /// Write its stacks too, folded as flame graphs are made of, nanoseconds
    #[arg(long, value_name = "FILE")]
    pub(crate) folded: Option<PathBuf>,
}

/// A form of a profile.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileFormat {
    /// Tables for this terminal.
    Terminal,
    /// GitHub tables.
    Markdown,
    /// One self-contained page with the roofline.
    Html,
    /// Everything, every round.
    Json,
}
