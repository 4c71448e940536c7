//! Other tools' files into the store.

use std::io::{BufRead, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use yardstick_interchange::{Error, Format, MOST_BYTES, llama_bench, optimum_benchmark};
use yardstick_record::Record;
use yardstick_store::Store;

use crate::console;

/// What an import stored: new records, and those that were there already.
pub(super) struct Stored {
    /// The tool whose results they are.
    pub(super) tool: &'static str,
    /// Stored now.
    pub(super) new: u64,
    /// Stored before.
    pub(super) already: u64,
}

/// Imports a file of one format; whether it could be read.
pub(super) fn import(
    store: &mut Store,
    path: &Path,
    format: Format,
    input: &mut dyn BufRead,
) -> Result<bool> {
    let done = match format {
        Format::LlamaBench => whole(store, "llama-bench", llama_bench::read_json(input)),
        Format::LlamaBenchCsv => whole(store, "llama-bench", llama_bench::read_csv(input)),
        Format::OptimumBenchmark => text(input).and_then(|report| {
            let config = config_beside(path)?;
            let records = optimum_benchmark::read(&report, config.as_deref())?;
            whole(store, "optimum-benchmark", records.into_iter().map(Ok))
        }),
        Format::Criterion | Format::Yardstick | Format::Bundle => Err(anyhow::anyhow!(
            "this is one of criterion's files: name the folder, target/criterion"
        )),
    };
    stored(path, "file", done)
}

/// Says what became of a file; a store that failed ends the import.
pub(super) fn stored(path: &Path, what: &str, done: Result<Stored>) -> Result<bool> {
    let name = path.display();
    match done {
        Ok(Stored { tool, new, already }) => {
            console::say(format!(
                "{name}: {new} records of {tool} stored, {already} there already; unverified, never ranked"
            ))?;
            Ok(true)
        }
        Err(error) if error.downcast_ref::<yardstick_store::Error>().is_some() => Err(error),
        Err(error) => {
            let error = console::words(&error);
            console::tell(format!("{name}: {error}; nothing of this {what} was stored"));
            Ok(false)
        }
    }
}

/// All records of a source, or none.
pub(super) fn whole(
    store: &mut Store,
    tool: &'static str,
    records: impl Iterator<Item = Result<Record, Error>>,
) -> Result<Stored> {
    let records = records.map(|record| record.map_err(anyhow::Error::from));
    let (new, already) = store.append_whole(records)?;
    if new + already == 0 {
        bail!("found no result");
    }
    Ok(Stored { tool, new, already })
}

/// A whole file as text, within bounds.
pub(super) fn text(input: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("longer than {} MiB", MOST_BYTES >> 20);
    }
    String::from_utf8(bytes).context("not UTF-8")
}

/// `benchmark_config.json` beside a `benchmark_report.json`.
pub(super) fn config_beside(report: &Path) -> Result<Option<String>> {
    if report.file_name().is_none_or(|name| name != "benchmark_report.json") {
        return Ok(None);
    }
    optional(&report.with_file_name("benchmark_config.json"))
}

/// A file's text, or nothing where there is no such file.
pub(super) fn optional(path: &Path) -> Result<Option<String>> {
    match std::fs::File::open(path) {
        Ok(file) => text(file).map(Some).with_context(|| format!("cannot read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(anyhow::Error::from(error).context(format!("cannot open {}", path.display())))
        }
    }
}
