//! Flags of the verbs that measure: run and soak, and what they share.

use std::path::PathBuf;

use yardstick_measure::runner::SoakPlan;

/// Programs beside this one that run models. Never read from a suite or a record: they are started.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Programs {
    /// A build of yardstick under a label; each build runs the devices: base=FILE; repeatable
    #[arg(long, value_name = "LABEL=FILE")]
    pub(crate) build: Vec<String>,
    /// A program that speaks the worker protocol, under its backend's name: NAME='COMMAND ARGUMENTS'; repeatable
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) worker: Vec<String>,
    #[arg(from_global)]
    pub(crate) python: PathBuf,
    #[arg(from_global)]
    pub(crate) runtime: Option<PathBuf>,
    #[arg(from_global)]
    pub(crate) test_doubles: bool,
}

/// What tests of quality are asked on. Without `--test` the tests are those that a file given here is for.
#[derive(clap::Args, Clone, Default)]
#[command(next_help_heading = "Quality")]
pub(crate) struct Quality {
    /// The text of ppl, kld and divergence; beside it FILE.provenance.toml says where it is from [default: rust-docs, built in]
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<String>,
    /// Questions with choices, JSON lines (suites/FORMAT.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) choice: Option<String>,
    /// Questions answered with text, JSON lines
    #[arg(long, value_name = "FILE")]
    pub(crate) generation: Option<String>,
    /// Your own prompts, JSON lines: latency from text to text, tokens, errors, and scores where answers are given
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<String>,
    /// The weights kld and divergence are held against: a format, or a model [default: F16 of a preset, a file itself]
    #[arg(long, value_name = "FORMAT|MODEL")]
    pub(crate) reference: Option<String>,
    /// Windows of the text that are scored [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) windows: Option<u32>,
    /// Tokens of the longest answer [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) most_tokens: Option<u32>,
    /// Score random weights too, though it says nothing about quality
    #[arg(long)]
    pub(crate) insist: bool,
}

/// Meters beside the machine, and what their readings are turned into.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Metering {
    /// An external meter: a program that prints timestamp,watts lines, or a recording of them; repeatable
    #[arg(long, value_name = "NAME=COMMAND|FILE.csv")]
    pub(crate) meter: Vec<String>,
    /// Seconds added to a meter's timestamps; repeatable
    #[arg(long, value_name = "NAME=SECONDS")]
    pub(crate) meter_offset: Vec<String>,
    /// Grams of CO2 a kWh of your grid causes: adds an estimate per million tokens
    #[arg(long, value_name = "GRAMS")]
    pub(crate) grid: Option<f64>,
}

/// `yardstick run`
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Run {
    /// A built-in suite's name or a suite file; `quick` when no model is given
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) suite: Option<String>,
    /// Models: a file, preset:quantisations (smollm-135m:Q4_0,Q8_0), ollama:NAME:TAG or hf:OWNER/REPO/FILE; repeatable
    #[arg(long, short, value_name = "MODEL")]
    pub(crate) model: Vec<String>,
    /// Devices: cpu, cpu:avx2, cpu:*, llama.cpp or hardware
    #[arg(long, short, value_name = "LIST", value_delimiter = ',')]
    pub(crate) devices: Vec<String>,
    /// Tests: load, ppN, tgN, ttft, ttftN, with @dN for a depth (pp512,tg128@d0,2048); ppl, pplN, kld, kldN, choice,
    /// generation, divergence, divergenceN, prompts; chat, serve, capacity, together, togetherN, cold, robust
    #[arg(long, short, value_name = "LIST")]
    pub(crate) test: Option<String>,
    /// Threads: a list and ranges (1,2 or 1-8*2)
    #[arg(long, value_name = "LIST")]
    pub(crate) threads: Option<String>,
    /// Key and value storage: f16, f32, q8_0
    #[arg(long, value_name = "LIST")]
    pub(crate) kv: Option<String>,
    /// Positions a sequence can hold
    #[arg(long, value_name = "LIST")]
    pub(crate) context: Option<String>,
    /// Sequences generated together
    #[arg(long, value_name = "LIST")]
    pub(crate) sequences: Option<String>,
    /// Tokens computed together in prefill
    #[arg(long, value_name = "LIST")]
    pub(crate) chunk: Option<String>,
    /// Numerics class: f32, f16, bf16, a8, requantised
    #[arg(long, value_name = "LIST")]
    pub(crate) numerics: Option<String>,
    /// Weights rounded anew for devices that take nothing else: file, int8-channel, w8a16, int4-g128, int4-channel
    #[arg(long, value_name = "LIST")]
    pub(crate) weights: Option<String>,
    #[command(flatten)]
    pub(crate) quality: Quality,
    /// Keys of a suite's table `workload`: 'rate = 4, requests = 60' (suites/FORMAT.md)
    #[arg(long, value_name = "KEY = VALUE, ...")]
    pub(crate) workload: Option<String>,
    /// Fresh processes per device, model and options
    #[arg(long, value_name = "N")]
    pub(crate) launches: Option<u32>,
    /// Devices and builds take turns sample by sample, so that drift hits all alike
    #[arg(long)]
    pub(crate) paired: bool,
    /// Measure this machine's own noise: every device against itself
    #[arg(long, conflicts_with_all = ["suite", "build"])]
    pub(crate) noise: bool,
    /// Measure arithmetic peaks anew beside every test, not once a launch; reading is measured around every tg
    #[arg(long)]
    pub(crate) ceilings: bool,
    /// Refuse results that others or heat disturbed (more than a fifth of the samples): they are invalid, not only marked
    #[arg(long)]
    pub(crate) strict: bool,
    /// Measure each test for so long that meters can follow, with idle power as long before and after [default: 30 seconds]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30")]
    #[arg(conflicts_with_all = ["paired", "noise"])]
    pub(crate) energy: Option<f64>,
    /// Cap the processor for the run and restore it after: clock=MHZ or power=WATTS; refused where it could not be restored
    #[arg(long, value_name = "clock=MHZ|power=WATTS")]
    pub(crate) cap: Option<String>,
    /// At least this many repetitions of a test in a launch
    #[arg(long, short, value_name = "N")]
    pub(crate) repetitions: Option<u32>,
    /// Seed of the order of cells [default: from the clock]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Print the plan and stop
    #[arg(long)]
    pub(crate) plan: bool,
    /// Stop after verification
    #[arg(long, conflicts_with = "plan")]
    pub(crate) verify_only: bool,
    /// Continue an interrupted run with the flags it was started with [default: the latest one]
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest")]
    #[arg(conflicts_with_all = ["suite", "model", "devices", "test", "threads", "kv", "context", "sequences", "workload"])]
    #[arg(conflicts_with_all = ["chunk", "numerics", "weights", "launches", "repetitions", "seed", "verify_only"])]
    #[arg(conflicts_with_all = ["text", "choice", "generation", "prompts", "reference", "windows", "most_tokens", "insist"])]
    #[arg(conflicts_with_all = ["build", "worker", "paired", "noise", "ceilings", "strict", "energy", "cap", "meter"])]
    #[arg(conflicts_with = "meter_offset")]
    pub(crate) resume: Option<String>,
    /// Print a record per line instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the HTML report goes [default: reports/RUN.html in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
    #[command(flatten)]
    pub(crate) metering: Metering,
    /// Every test is a soak; said by the verb.
    #[arg(skip)]
    pub(crate) soak: Option<SoakPlan>,
}

/// `yardstick soak`
#[derive(clap::Args)]
pub(crate) struct Soak {
    /// Models: a file, preset:quantisations (smollm-135m:Q4_0), ollama:NAME:TAG or hf:OWNER/REPO/FILE; repeatable
    #[arg(long, short, value_name = "MODEL", required = true)]
    pub(crate) model: Vec<String>,
    /// Devices, one after the other: cpu, cpu:avx2, llama.cpp
    #[arg(long, short, value_name = "LIST", value_delimiter = ',', default_value = "cpu")]
    pub(crate) devices: Vec<String>,
    /// What is decoded again and again: tgN, with @dN for a depth
    #[arg(long, short, value_name = "TEST", default_value = "tg32")]
    pub(crate) test: String,
    /// Threads
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<String>,
    /// How long to decode
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    pub(crate) minutes: f64,
    /// How long to rest before it, and after it before its recovery is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) rest: u64,
    /// Print a record per line instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the HTML report goes [default: reports/RUN.html in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
    #[command(flatten)]
    pub(crate) metering: Metering,
}
