//! Folders of results: criterion's `**/new/*.json`, optimum-benchmark's reports of a sweep.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use yardstick_interchange::{Error, criterion, optimum_benchmark};
use yardstick_record::Record;
use yardstick_store::Store;

use super::foreign::{Stored, config_beside, optional, whole};
use crate::args::ImportFormat;

/// Folders within folders that are looked into.
const DEEPEST: usize = 32;
/// Entries looked at: a folder of results, not a disk.
const MOST_ENTRIES: usize = 1_000_000;

/// What was found, in the order of names.
#[derive(Default)]
struct Found {
    /// Folders `new` of criterion.
    benchmarks: Vec<PathBuf>,
    /// optimum-benchmark's reports.
    reports: Vec<PathBuf>,
    entries: usize,
}

/// Imports everything of a folder that is of one tool, or nothing.
pub(super) fn import(store: &mut Store, root: &Path, asked: ImportFormat) -> Result<Stored> {
    let mut found = Found::default();
    look(root, DEEPEST, &mut found)?;
    let (of_criterion, of_optimum) = match asked {
        ImportFormat::Auto => (!found.benchmarks.is_empty(), !found.reports.is_empty()),
        ImportFormat::Criterion => (true, false),
        ImportFormat::OptimumBenchmark => (false, true),
        _ => bail!("it is a folder; this format is a file"),
    };
    match (of_criterion, of_optimum) {
        (true, true) => {
            bail!("it holds results of criterion and of optimum-benchmark: say which with --format")
        }
        (true, false) => {
            let files: Vec<criterion::Files> =
                found.benchmarks.iter().map(|new| files(root, new)).collect::<Result<_>>()?;
            whole(store, "criterion", criterion::read(&files)?.into_iter().map(Ok))
        }
        (false, true) => {
            let records: Vec<Vec<Record>> =
                found.reports.iter().map(|report| optimum(report)).collect::<Result<_>>()?;
            let records = records.into_iter().flatten().map(Ok::<Record, Error>);
            whole(store, "optimum-benchmark", records)
        }
        (false, false) => bail!(
            "found neither criterion's folders `new` nor a benchmark_report.json or benchmark.json"
        ),
    }
}

/// Looks through a folder; links are not followed, since they may lead in circles.
fn look(folder: &Path, deeper: usize, found: &mut Found) -> Result<()> {
    let listed = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("cannot list {}", folder.display()))?;
    found.entries += listed.len();
    if found.entries > MOST_ENTRIES {
        bail!("more than {MOST_ENTRIES} files: name the folder of results");
    }
    let mut entries: Vec<_> = listed.into_iter().map(|entry| (entry.path(), entry)).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<_> = entries.iter().map(|(_, entry)| entry.file_name()).collect();
    let has = |name: &str| names.iter().any(|found| found == name);
    if folder.ends_with("new") && (has("sample.json") || has("estimates.json")) {
        found.benchmarks.push(folder.to_owned());
    }
    // benchmark.json of criterion lies in `new`; optimum-benchmark's holds report and configuration.
    if has("benchmark_report.json") {
        found.reports.push(folder.join("benchmark_report.json"));
    } else if has("benchmark.json") && !has("sample.json") && !has("estimates.json") {
        found.reports.push(folder.join("benchmark.json"));
    }
    for (path, entry) in entries {
        if deeper > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&path, deeper - 1, found)?;
        }
    }
    Ok(())
}

fn files(root: &Path, new: &Path) -> Result<criterion::Files> {
    let folder = new.parent().unwrap_or(new);
    let folder = folder.strip_prefix(root).unwrap_or(folder);
    let parts: Vec<String> =
        folder.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    Ok(criterion::Files {
        folder: if parts.is_empty() { "unnamed".to_owned() } else { parts.join("/") },
        benchmark: optional(&new.join("benchmark.json"))?,
        sample: optional(&new.join("sample.json"))?,
        estimates: optional(&new.join("estimates.json"))?,
    })
}

fn optimum(report: &Path) -> Result<Vec<Record>> {
    let text = optional(report)?.context("it vanished")?;
    let config = config_beside(report)?;
    optimum_benchmark::read(&text, config.as_deref())
        .with_context(|| format!("{}", report.display()))
}
