//! Flags of `yardstick memory`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use yardstick_api::{KvType, Options};

/// `yardstick memory`
#[derive(clap::Args)]
pub(crate) struct Memory {
    /// The model: a file, or preset:quantisation (llama-3.2-1b:Q4_0)
    #[arg(long, short, value_name = "MODEL")]
    pub(crate) model: String,
    /// The device: cpu, cpu:avx2
    #[arg(long, short, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = super::threads)]
    pub(crate) threads: Option<usize>,
    /// Storage of keys and values: f32, f16, q8_0
    #[arg(long, value_name = "TYPE", default_value = "f16")]
    pub(crate) kv: String,
    /// The deepest context that fits, for batches of 1 to 256, computed
    #[arg(long)]
    pub(crate) fits: bool,
    /// Run the first and the last of these too: load them, which takes nearly all free memory, and fill positions for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=86400))]
    pub(crate) check: u64,
    /// Growth of memory over so many requests (40 where everything is looked at)
    #[arg(long, value_name = "REQUESTS",
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=10000))]
    pub(crate) leak: Option<usize>,
    /// The first token after loading against later ones, weights mapped and copied, page cache warm and dropped
    #[arg(long)]
    pub(crate) first_use: bool,
    #[arg(long, short, value_enum, default_value_t = MemoryFormat::Terminal)]
    pub(crate) format: MemoryFormat,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[arg(from_global)]
    pub(crate) test_doubles: bool,
}

/// A form of it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MemoryFormat {
    /// Tables for this terminal.
    Terminal,
    /// GitHub tables.
    Markdown,
    /// Everything.
    Json,
}

impl Memory {
    /// The options it means.
    pub(crate) fn options(&self) -> Result<Options> {
        let kinds = KvType::ALL.map(KvType::name).join(", ");
        let kv = KvType::ALL.into_iter().find(|kind| kind.name() == self.kv);
        let kv =
            kv.with_context(|| format!("--kv: found {:?}, expected one of {kinds}", self.kv))?;
        Ok(Options { threads: self.threads, kv, ..Options::default() })
    }

    /// Requests where nobody says how many.
    pub(crate) fn requests(&self) -> usize {
        40
    }
}
