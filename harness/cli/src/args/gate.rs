//! Flags of `yardstick gate`.

use std::path::PathBuf;

/// `yardstick gate`
#[derive(clap::Args)]
#[command(after_help = GATE_CODES)]
pub(crate) struct Gate {
    /// What is merged into: a git revision, or a program with its arguments: a slice worker's, with --suite a yardstick
    #[arg(long, value_name = "REV|PROGRAM")]
    pub(crate) base: Option<String>,
    /// What would merge: a git revision, `.` for the working tree, or a program
    #[arg(long, value_name = "REV|PROGRAM")]
    pub(crate) candidate: Option<String>,
    /// The base once more, linked separately: a program; built for revisions [default: the base's own program]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) control: Option<String>,
    /// Cells of a suite instead of kernels, on both sides' `yardstick`: a built-in suite's name or a file, whose budgets are the
    /// thresholds
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "config")]
    pub(crate) suite: Option<String>,
    /// Suite: an external meter, a program that prints timestamp,watts lines; repeatable
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) meter: Vec<String>,
    /// How another repository's benches are built and run: its gate.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// NVIDIA's run-time compiler, which compiles GPU kernels to be looked at [default: where toolkits and Python packages put it]
    #[arg(long, value_name = "FILE")]
    pub(crate) nvrtc: Option<PathBuf>,
    /// Find the first commit after GOOD up to BAD that the gate fails against GOOD
    #[arg(long, value_name = "GOOD..BAD", conflicts_with_all = ["base", "candidate", "control"])]
    pub(crate) bisect: Option<String>,
    /// Minutes a comparison may take, builds excepted
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = minutes)]
    pub(crate) budget: f64,
    /// Only tests whose names contain one of these
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Also kernels whose machine code did not change
    #[arg(long)]
    pub(crate) all: bool,
    /// Where gate.json, gate.md and gate.txt are written [default: nowhere]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

const GATE_CODES: &str = "Exit codes: 0 pass; 1 fail: it costs more, or another output; 2 nothing could be compared (a side does not build, \
crashes, or the request is wrong); 3 inconclusive, with the command that would decide; 130 interrupted.";

/// A time that is one.
fn minutes(text: &str) -> Result<f64, String> {
    let found = text.parse().ok().filter(|m: &f64| m.is_finite() && (0.0..=10_000.0).contains(m));
    found.ok_or_else(|| "expected minutes, as in 10 or 0.5".to_owned())
}
