//! What a run was asked for: a suite with flags over it, now or when it was first started.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use yardstick_measure::builtin;
use yardstick_measure::plan::{Catalogue, Inventory, ModelRequest, Overrides, Plan, expand};
use yardstick_measure::suite::{
    Deadlines, Suite, parse_automatic, parse_counts, parse_kv, parse_numerics, parse_tests,
};
use yardstick_record::{Cell, RunInfo};
use yardstick_store::Store;

use crate::args::{Args, Run, Verb};
use crate::tool;

/// More than a suite may have, so that one that is longer is refused for its length.
const MOST_BYTES: u64 = 2 << 20;

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
        if args.suite.is_none() && (!args.model.is_empty() || args.test.is_some()) {
            // What the default suite would have measured is not what is measured.
            suite.name = "command line".to_owned();
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
        Ok(Request { info, resumed: None, suite, suite_file, suite_text, overrides })
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
        let Verb::Run(args) = args.verb.unwrap_or_default() else {
            bail!("run {} was not started by `yardstick run`; start it again", run.id);
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
        Ok(Request { info, resumed: Some(run.id), suite, suite_file, suite_text, overrides })
    }

    /// The plan on these devices.
    pub(crate) fn plan(&self, inventory: &Inventory) -> Result<Plan> {
        Ok(expand(&self.suite, &self.overrides, inventory, &Catalogue::built_in(), self.info.seed)?)
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
    let name = args.suite.as_deref().unwrap_or("quick");
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
        tests: list("--test", &args.test, parse_tests)?,
        threads: list("--threads", &args.threads, parse_automatic)?,
        context: list("--context", &args.context, parse_automatic)?,
        sequences: list("--sequences", &args.sequences, parse_counts)?,
        chunk: list("--chunk", &args.chunk, parse_counts)?,
        kv: list("--kv", &args.kv, parse_kv)?,
        numerics: list("--numerics", &args.numerics, parse_numerics)?,
        repack: None,
        launches: args.launches,
        min_repetitions: args.repetitions,
        max_repetitions: None,
        max_seconds: None,
        warm_up_seconds: None,
        verify: None,
    })
}

/// A command line that measures one cell again.
pub(crate) fn rerun(cell: &Cell, model: &ModelRequest) -> String {
    let mut words = vec![
        "yardstick run".to_owned(),
        format!("--devices {}", quoted(&cell.device)),
        format!("--model {}", quoted(&model.argument())),
        format!("--test {}", cell.test),
    ];
    let options = &cell.options;
    if let Some(threads) = options.threads {
        words.push(format!("--threads {threads}"));
    }
    if let Some(context) = options.context {
        words.push(format!("--context {context}"));
    }
    words.push(format!("--kv {}", options.kv.name()));
    words.push(format!("--sequences {} --chunk {}", options.sequences, options.chunk));
    if let Some(numerics) = options.numerics {
        words.push(format!("--numerics {}", format!("{numerics:?}").to_lowercase()));
    }
    words.join(" ")
}

/// For a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_rerun_survive_a_shell() {
        for (word, expected) in [
            ("smollm-135m:Q4_0", "smollm-135m:Q4_0"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
