//! Flags of `yardstick model prune`.

use std::path::PathBuf;

/// `yardstick model prune`
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("removed").required(true).multiple(true)
    .args(["layers", "keep_layers", "heads", "ffn", "zeros"])))]
pub(crate) struct Prune {
    /// A file or preset:quantisation
    pub(crate) input: String,
    /// The result
    pub(crate) output: PathBuf,
    /// Keep so many layers: the first ones and the last, since deep layers but the last change least
    #[arg(long, value_name = "N", conflicts_with = "keep_layers")]
    pub(crate) layers: Option<usize>,
    /// Keep these layers, numbered from 0: 0-7,12
    #[arg(long, value_name = "LIST")]
    pub(crate) keep_layers: Option<String>,
    /// Share of each layer's key and value heads to keep, with their query heads: those of the largest output columns
    #[arg(long, value_name = "SHARE")]
    pub(crate) heads: Option<f64>,
    /// Share of each layer's feed-forward channels to keep: those of the largest |gate| |up| |down|
    #[arg(long, value_name = "SHARE")]
    pub(crate) ffn: Option<f64>,
    /// Instead: set this share of every row's weights to zero, the smallest, in the same format
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["layers", "keep_layers", "heads", "ffn"])]
    pub(crate) zeros: Option<f64>,
    /// Then run both files in turns (suite zeros) and say whether the zeros made anything faster
    #[arg(long, requires = "zeros", conflicts_with_all = ["layers", "keep_layers", "heads", "ffn"])]
    pub(crate) measure: bool,
    /// Threads [default: every core]
    #[arg(long, value_parser = super::threads)]
    pub(crate) threads: Option<usize>,
}
