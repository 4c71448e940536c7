//! Flags of `yardstick canary`.

use std::path::PathBuf;

/// `yardstick canary`
///
/// Lines are numbers (of the metric `latency`), JSON objects of numbers by metric (`{"latency_ms": 21.5, "error": false, "phase": 10}`),
/// or records of ours. The first line of each kind need not be alike.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Canary {
    /// What it is held against: a file of lines
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: PathBuf,
    /// The candidate: a file or pipe of lines; `-` is standard input, read as it comes
    #[arg(long, value_name = "FILE")]
    pub(crate) candidate: PathBuf,
    /// Shares of the traffic that the candidate takes, percent; the error budget is divided among them
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,10,50,100")]
    pub(crate) phases: Vec<f64>,
    /// The phase of lines that name none [default: the first]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) phase: Option<f64>,
    /// Worse by this is tolerated, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub(crate) floor: f64,
    /// Worse by this must not continue, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 15.0)]
    pub(crate) caught: f64,
    /// Errors in a hundred requests, on top of the baseline's, that are tolerated
    #[arg(long, value_name = "PERCENT", default_value_t = 0.2)]
    pub(crate) error_floor: f64,
    /// Errors in a hundred requests, on top of the baseline's, that must not continue
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub(crate) error_caught: f64,
    /// Quantiles that are held, percent: of rates their slow end
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "50,95")]
    pub(crate) quantiles: Vec<f64>,
    /// Metrics of which more is better; those of our own names are known
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) higher: Vec<String>,
    /// Chance of rolling back a candidate within the tolerance, over all phases and checks, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub(crate) alpha: f64,
    /// JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

const EXIT_CODES: &str = "Exit codes: 0 continue with the next phase; 1 roll back; 3 more lines are needed; 2 an error (a line that is no value, a metric \
without a baseline, flags).";
