//! Command-line arguments: flags only, no behaviour.

mod canary;
mod decide;
mod gate;
mod memory;
mod model;
mod profile;
mod prune;
mod run;
mod serve;
mod tune;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use canary::Canary;
pub(crate) use decide::{Check, CheckFormat, Recommend, Route};
pub(crate) use gate::Gate;
pub(crate) use memory::{Memory, MemoryFormat};
pub(crate) use model::ModelAction;
pub(crate) use profile::{Profile, ProfileFormat, Profiling, Why};
pub(crate) use prune::Prune;
pub(crate) use run::{Metering, Programs, Quality, Run, Soak};
pub(crate) use serve::Serve;
pub(crate) use tune::Tune;

/// Benchmark the same quantised transformer on every device, with proof that each answer is right.
///
/// Without a verb it runs the quick suite and writes a report.
#[derive(Parser)]
#[command(name = "yardstick", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 a cell failed, was invalid, computed wrong answers or could not be verified; \
2 nothing was measured because of an error (flags, suite, model, store); 3 a budget could not be judged (check); 130 interrupted, what was measured is kept.";

/// Flags every verb takes.
#[derive(clap::Args)]
pub(crate) struct Global {
    /// The store of records [default: records.sqlite in the data directory]
    #[arg(long, global = true, value_name = "FILE", env = "YARDSTICK_STORE")]
    pub(crate) store: Option<PathBuf>,
    /// Where records and reports live [default: the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "YARDSTICK_DATA")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where written models and reference answers are kept [default: the platform's cache directory]
    #[arg(long, global = true, value_name = "DIR", env = "YARDSTICK_CACHE")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// The Python that runs llama.cpp's worker
    #[arg(
        long,
        global = true,
        value_name = "PROGRAM",
        env = "YARDSTICK_PYTHON",
        default_value = "python3"
    )]
    pub(crate) python: PathBuf,
    /// ONNX Runtime: its library, or a folder of Python packages [default: packages of --python, then the system's]
    #[arg(long, global = true, value_name = "FILE|DIR", env = "ORT_DYLIB_PATH")]
    pub(crate) runtime: Option<PathBuf>,
    /// Adds the backend that misbehaves on purpose (tests).
    #[arg(long, global = true, hide = true)]
    pub(crate) test_doubles: bool,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Verify and measure, store the records, write a report (default)
    Run(Box<Run>),
    /// Show stored records: terminal, markdown, HTML, CSV or JSON
    Report(Report),
    /// Hold runs, files, commits, devices, models or builds against each other, cell by cell, what changed most first
    Compare(Compare),
    /// Hold a candidate's kernels, or a suite's cells, against its base's, by turns on this machine: pass, fail or inconclusive
    Gate(Gate),
    /// Hold live latencies, rates and errors of a candidate against a baseline, phase by phase: continue, roll back, need more
    Canary(Canary),
    /// List the devices usable here, and those that are not with the reason and the fix
    Devices(Devices),
    /// Write, list, inspect, quantise and prune models; tokenize text; write logits
    Model(Model),
    /// Write stored records as JSON lines, CSV or what other tools read, or the records' JSON Schema
    Export(Export),
    /// Read records, and results of llama-bench, optimum-benchmark and criterion, into the store
    Import(Import),
    /// Hold what articles claim against files and records: claim, source, measured, verdict
    Claims(Claims),
    /// Measure a stored record's cell again
    Rerun(Rerun),
    /// Speeds nobody measured, from records or a data sheet, labelled predicted, each with its error bar
    Predict(Predict),
    /// Which device, model and format meet the needs, what each costs, and how firm that is
    Recommend(Recommend),
    /// Search formats and settings of a model on this device for what a profile asks: measured, with the winning flags
    Tune(Box<Tune>),
    /// How many queries a small model may answer before it costs quality, and what that saves
    Route(Route),
    /// Hold records against budgets: alerts, an exit code, Prometheus text
    Check(Check),
    /// Decode for minutes: burst, first minute and sustained speed, with clocks, temperature and power over time
    Soak(Soak),
    /// Time the operations of one test against the device's measured roofs, as tables, roofline, trace or stacks; stores nothing
    Profile(Profile),
    /// What a model holds on a device, told and seen: first use, growth over requests, and what fits; stores nothing
    Memory(Memory),
    /// Why two cells take different times: bytes, shares of the roofs, synchronisation, and what remains; stores nothing
    Why(Why),
    /// A local page over the store: runs, reports, trends, comparisons, a run as it goes on, metrics, a JSON API
    Serve(Serve),
    /// Serve the worker protocol on standard input and output
    #[command(hide = true)]
    Worker(Worker),
}

impl Default for Verb {
    fn default() -> Verb {
        Verb::Run(Box::default())
    }
}

/// `yardstick report`
#[derive(clap::Args)]
pub(crate) struct Report {
    /// Run ids [default: the latest run]
    pub(crate) runs: Vec<String>,
    /// Every run in the store
    #[arg(long, conflicts_with = "runs")]
    pub(crate) all: bool,
    /// List the runs in the store
    #[arg(long, conflicts_with_all = ["runs", "all"])]
    pub(crate) list: bool,
    /// Hold every row against this device, backend, build or model [default: the first that took turns, or the fastest]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) baseline: Option<String>,
    /// What backends tell of their memory against what the system saw, too
    #[arg(long)]
    pub(crate) memory: bool,
    #[arg(long, short, value_enum, default_value_t = Format::Terminal)]
    pub(crate) format: Format,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) metering: Metering,
}

/// `yardstick compare`
#[derive(clap::Args)]
pub(crate) struct Compare {
    /// Runs, files of records, commits, devices, models or builds; `device:cpu`, `commit:1a2b3c4` where a name could be several
    #[arg(required = true, num_args = 2.., value_name = "SIDE")]
    pub(crate) sides: Vec<String>,
    /// The side the others are held against [default: the first]
    #[arg(long, value_name = "SIDE")]
    pub(crate) baseline: Option<String>,
    /// Where commits, devices, models and builds are looked for: runs and files [default: the whole store]
    #[arg(long, value_name = "RUN|FILE")]
    pub(crate) among: Vec<String>,
    /// Compare also what was measured on unlike machines, or on different files of one model's name
    #[arg(long)]
    pub(crate) insist: bool,
    /// Every value, also without a difference
    #[arg(long)]
    pub(crate) all: bool,
    #[arg(long, short, value_enum, default_value_t = Format::Terminal)]
    pub(crate) format: Format,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A report's form.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for this terminal.
    Terminal,
    /// A GitHub table.
    Markdown,
    /// One self-contained page.
    Html,
    /// Every column, one row a cell.
    Csv,
    /// Trade-offs alone: one row a value, with its records.
    CsvTradeoffs,
    /// Every metric with its unit and direction.
    Json,
}

/// `yardstick devices`
#[derive(clap::Args)]
pub(crate) struct Devices {
    /// Measure what the devices reach at every limit, store it, and show it
    #[arg(long)]
    pub(crate) ceilings: bool,
    /// Devices whose ceilings are measured: cpu or cpu:avx2; the best of each backend unless named
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "ceilings")]
    pub(crate) device: Vec<String>,
    /// Threads that take part: a list and ranges (1,2 or 1-8*2); one and all unless named
    #[arg(long, value_name = "LIST", requires = "ceilings")]
    pub(crate) threads: Option<String>,
    /// Fresh processes that measure all of it
    #[arg(long, value_name = "N", default_value_t = 1, requires = "ceilings",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) launches: u32,
    /// JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// `yardstick model`
#[derive(clap::Args)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

/// Threads there can be.
fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=MOST_THREADS).contains(threads));
    threads.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

/// More than any machine has.
const MOST_THREADS: usize = 65_536;

/// `yardstick export`
#[derive(clap::Args)]
pub(crate) struct Export {
    /// Run ids [default: every run]
    pub(crate) runs: Vec<String>,
    #[arg(long, short, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// github-action: which metrics, as its tools take one direction each
    #[arg(long, value_enum, default_value_t = Better::Bigger)]
    pub(crate) direction: Better,
    /// prometheus: write when each cell was measured (the textfile collector refuses times)
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Where to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the JSON Schema of a record instead
    #[arg(long)]
    pub(crate) schema: bool,
    /// Write a bundle to share: one file of records, their hashes and a manifest; what is in it is shown first
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "schema", "format"])]
    pub(crate) bundle: Option<PathBuf>,
    /// bundle: what is left in the records
    #[arg(long, value_enum, default_value_t = BundleProfile::Public, requires = "bundle")]
    pub(crate) profile: BundleProfile,
    /// bundle: show what would be in it, and write nothing
    #[arg(long, requires = "bundle")]
    pub(crate) preview: bool,
}

/// How much of a record is shared.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BundleProfile {
    /// Without host names, users, paths, addresses, serial numbers, machine ids and the time of day.
    Public,
    /// All of it.
    Full,
}

/// What records are exported as.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Records, whole, one a line.
    Jsonl,
    /// Rows with every column.
    Csv,
    /// llama-bench's JSON.
    LlamaBench,
    /// llama-bench's JSON lines.
    LlamaBenchJsonl,
    /// llama-bench's CSV: no raw samples.
    LlamaBenchCsv,
    /// Bencher Metric Format.
    Bmf,
    /// github-action-benchmark's customBiggerIsBetter or customSmallerIsBetter.
    GithubAction,
    /// Prometheus' text exposition format.
    Prometheus,
}

/// Which way is better, in github-action-benchmark's words.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Better {
    /// customBiggerIsBetter: speeds, shares.
    Bigger,
    /// customSmallerIsBetter: times, bytes.
    Smaller,
}

/// `yardstick import`
#[derive(clap::Args)]
pub(crate) struct Import {
    /// Files, bundles among them, or folders of criterion (target/criterion) or optimum-benchmark; `-` is standard input
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[arg(long, short, value_enum, default_value_t = ImportFormat::Auto)]
    pub(crate) format: ImportFormat,
}

/// What is imported.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Told by the content.
    Auto,
    /// Records of yardstick, one a line.
    Jsonl,
    /// A bundle that `export --bundle` wrote.
    Bundle,
    /// llama-bench's JSON or JSON lines.
    LlamaBench,
    /// llama-bench's CSV.
    LlamaBenchCsv,
    /// benchmark.json, or benchmark_report.json with benchmark_config.json beside it.
    OptimumBenchmark,
    /// A folder like target/criterion.
    Criterion,
}

/// `yardstick rerun`
#[derive(clap::Args)]
pub(crate) struct Rerun {
    /// A record's id or an unambiguous beginning of one
    pub(crate) record: String,
    /// Print the command and stop
    #[arg(long)]
    pub(crate) print: bool,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// `yardstick claims`
#[derive(clap::Args)]
pub(crate) struct Claims {
    /// A file of claims [default: the built-in suites/claims.toml]
    pub(crate) file: Option<PathBuf>,
    #[arg(long, short, value_enum, default_value_t = ClaimsFormat::Terminal)]
    pub(crate) format: ClaimsFormat,
}

/// A form of the claims.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClaimsFormat {
    /// For this terminal.
    Terminal,
    /// A GitHub table.
    Markdown,
    /// Every claim with its numbers.
    Json,
}

/// `yardstick predict`
#[derive(clap::Args)]
pub(crate) struct Predict {
    /// Models: preset:quantisations (smollm-135m:Q4_0,Q8_0) or a file; repeatable
    #[arg(long, short, value_name = "MODEL", required_unless_present = "held_out")]
    pub(crate) model: Vec<String>,
    /// Devices: one with records (cpu, cpu:avx2) or one of the data sheets (raspberry-pi-5)
    #[arg(
        long,
        short,
        value_name = "LIST",
        value_delimiter = ',',
        required_unless_present = "held_out"
    )]
    pub(crate) device: Vec<String>,
    /// Tests: ppN and tgN, with @dN for a depth (pp512,tg128@d0,4096)
    #[arg(long, short, value_name = "LIST", default_value = "pp512,tg128")]
    pub(crate) test: String,
    /// Sequences generated together
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) sequences: usize,
    /// Learn from these records, a file as export writes it [default: the store]
    #[arg(long, value_name = "FILE")]
    pub(crate) records: Option<PathBuf>,
    /// Data sheets [default: the built-in suites/devices.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) catalogue: Option<PathBuf>,
    /// Hold what was measured against what the cells of other models would have predicted
    #[arg(long, conflicts_with_all = ["model", "device", "test", "sequences", "catalogue"])]
    pub(crate) held_out: bool,
    /// JSON, with every record it was learnt from
    #[arg(long)]
    pub(crate) json: bool,
}

/// `yardstick worker`
#[derive(clap::Args)]
pub(crate) struct Worker {
    #[arg(from_global)]
    pub(crate) test_doubles: bool,
}
