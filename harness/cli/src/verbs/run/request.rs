//! What a run was asked for: a suite with flags over it, now or when it was first started.

use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use yardstick_measure::builtin;
use yardstick_measure::plan::{Catalogue, Inventory, Overrides, Plan, expand};
use yardstick_measure::quality::Asked;
use yardstick_measure::suite::{
    Deadlines, Suite, parse_automatic, parse_counts, parse_kv, parse_numerics, parse_tests,
    parse_weights,
};
use yardstick_measure::workload;
use yardstick_record::{RunInfo, Test};
use yardstick_store::Store;

use crate::args::{Args, Quality, Run, Verb};
use crate::tool;
use crate::verbs::soak;

/// More than a suite may have, so that one that is longer is refused for its length.
const MOST_BYTES: u64 = 2 << 20;

/// Shorter no meter follows; longer no worker may be silent.
const METERED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// A run before it is planned.
pub(crate) struct Request {
    /// Goes into every record.
    pub(crate) info: RunInfo,
    /// The run that is continued, if one is.
    pub(crate) resumed: Option<String>,
    suite: Suite,
    suite_file: String,
    suite_text: String,
    overrides: Overrides,
    /// The flags it was started with.
    pub(crate) flags: Run,
}

/// What is stored of a request, so that it can be continued although suite files and defaults move on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    suite_file: String,
    suite_text: String,
    seed: u64,
}

impl Request {
    /// From flags; `command` is what they were parsed from.
    pub(crate) fn new(args: &Run, command: Vec<String>) -> Result<Request> {
        let (suite_file, suite_text) = suite_text(args)?;
        let mut suite = Suite::parse(&suite_file, &suite_text)?;
        if args.suite.is_none() && !args.noise && (!args.model.is_empty() || args.test.is_some()) {
            // What the default suite would have measured is not what is measured.
            suite.name = if args.soak.is_some() { "soak" } else { "command line" }.to_owned();
            suite.analysis = String::new();
        }
        let seed = args.seed.unwrap_or_else(tool::seed);
        let info = RunInfo {
            id: tool::run_id(),
            started: tool::now(),
            suite: suite.name.clone(),
            command,
            seed,
        };
        let overrides = overrides(args)?;
        let flags = args.clone();
        Ok(Request { info, resumed: None, suite, suite_file, suite_text, overrides, flags })
    }

    /// From the store: the same suite text, flags and seed, so the same plan.
    pub(crate) fn resumed(store: &Store, id: &str) -> Result<Request> {
        let run = match id {
            "latest" => store.latest_run()?.context("the store has no run to resume")?,
            id => store.run(id)?,
        };
        if let Some(finished) = &run.finished {
            bail!("run {} came to its end at {finished}; there is nothing to resume", run.id);
        }
        let plan =
            run.plan.with_context(|| format!("run {} was imported, not measured here", run.id))?;
        let stored: Stored = serde_json::from_str(&plan)
            .with_context(|| format!("run {}: its stored plan cannot be read", run.id))?;
        let words = std::iter::once("yardstick".to_owned()).chain(run.command.iter().cloned());
        let args = Args::try_parse_from(words).map_err(|error| {
            anyhow!("run {}: its flags are no longer understood: {error}", run.id)
        })?;
        let args = match args.verb.unwrap_or_default() {
            Verb::Run(args) => *args,
            Verb::Soak(args) => soak::as_run(&args)?,
            _ => bail!("run {} was not started by `yardstick run`; start it again", run.id),
        };
        let mut suite = Suite::parse(&stored.suite_file, &stored.suite_text)?;
        suite.name.clone_from(&run.suite);
        let info = RunInfo {
            id: run.id.clone(),
            started: run.started,
            suite: run.suite,
            command: run.command,
            seed: stored.seed,
        };
        let overrides = overrides(&args)?;
        let (suite_file, suite_text) = (stored.suite_file, stored.suite_text);
        let resumed = Some(run.id);
        Ok(Request { info, resumed, suite, suite_file, suite_text, overrides, flags: args })
    }

    /// The plan on these devices.
    pub(crate) fn plan(&self, inventory: &Inventory) -> Result<Plan> {
        Ok(expand(&self.suite, &self.overrides, inventory, &Catalogue::built_in(), self.info.seed)?)
    }

    /// What says which devices are meant.
    pub(crate) fn selectors(&self) -> Vec<String> {
        self.overrides.devices.clone().unwrap_or_else(|| self.suite.devices.clone())
    }

    /// How long meters need to follow a test.
    pub(crate) fn metered(&self) -> Result<Option<Duration>> {
        let Some(seconds) = self.flags.energy else { return Ok(None) };
        match Duration::try_from_secs_f64(seconds) {
            Ok(time) if METERED.contains(&time) => Ok(Some(time)),
            _ => bail!(
                "--energy {seconds}: expected {} to {} seconds",
                METERED.start().as_secs(),
                METERED.end().as_secs()
            ),
        }
    }

    /// How long phases may take.
    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.suite.deadlines
    }

    /// What [`Request::resumed`] reads.
    pub(crate) fn stored(&self) -> String {
        let stored = Stored {
            suite_file: self.suite_file.clone(),
            suite_text: self.suite_text.clone(),
            seed: self.info.seed,
        };
        serde_json::to_string(&stored).expect("a request is plain data")
    }
}

fn suite_text(args: &Run) -> Result<(String, String)> {
    let unnamed = if args.noise { "noise" } else { "quick" };
    suite_named(args.suite.as_deref().unwrap_or(unnamed))
}

/// A suite's file and text, built in or read.
pub(crate) fn suite_named(name: &str) -> Result<(String, String)> {
    if let Some(text) = builtin::find(name) {
        return Ok((format!("{name} (built in)"), text.to_owned()));
    }
    let text = read(name).with_context(|| {
        let known: Vec<&str> = builtin::SUITES.iter().map(|(name, _)| *name).collect();
        format!(
            "suite {name:?} is neither built in ({}) nor a file that can be read",
            known.join(", ")
        )
    })?;
    Ok((name.to_owned(), text))
}

/// A suite's text. A file without end is read only until it is too long to be one.
fn read(name: &str) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(name)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn overrides(args: &Run) -> Result<Overrides> {
    fn list<T, E: std::error::Error + Send + Sync + 'static>(
        flag: &str,
        text: &Option<String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>> {
        text.as_deref().map(|text| parse(text).with_context(|| flag.to_owned())).transpose()
    }
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    Ok(Overrides {
        models: some(&args.model),
        quantisations: None,
        devices: some(&args.devices),
        tests: list("--test", &args.test, parse_tests)?.or_else(|| implied(&args.quality)),
        threads: list("--threads", &args.threads, parse_automatic)?,
        context: list("--context", &args.context, parse_automatic)?,
        sequences: list("--sequences", &args.sequences, parse_counts)?,
        chunk: list("--chunk", &args.chunk, parse_counts)?,
        kv: list("--kv", &args.kv, parse_kv)?,
        numerics: list("--numerics", &args.numerics, parse_numerics)?,
        weights: list("--weights", &args.weights, parse_weights)?,
        repack: None,
        launches: args.launches,
        min_repetitions: args.repetitions,
        max_repetitions: None,
        max_seconds: None,
        warm_up_seconds: None,
        verify: None,
        quality: asked(&args.quality),
        workload: list("--workload", &args.workload, workload::Asked::parse)?.unwrap_or_default(),
        paired: args.paired.then_some(true),
        twins: args.noise,
    })
}

fn asked(flags: &Quality) -> Asked {
    let Quality { text, choice, generation, prompts, reference, windows, most_tokens, insist } =
        flags.clone();
    Asked { text, choice, generation, prompts, reference, windows, most_tokens, insist }
}

/// The tests that the files given are for.
fn implied(flags: &Quality) -> Option<Vec<Test>> {
    let files = [
        (&flags.text, "ppl"),
        (&flags.choice, "choice"),
        (&flags.generation, "generation"),
        (&flags.prompts, "prompts"),
    ];
    let given = files.into_iter().filter(|(file, _)| file.is_some());
    let tests: Vec<Test> = given.filter_map(|(_, test)| test.parse().ok()).collect();
    (!tests.is_empty()).then_some(tests)
}
