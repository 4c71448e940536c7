//! Where reports go: records from the store, rendered, to standard output or a file.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use yardstick_analyse::predict::HeldOut;
use yardstick_analyse::{Comparison, View, is_noise};
use yardstick_record::Record;
use yardstick_render as render;
use yardstick_store::{Filter, Store};

use crate::args::Format;
use crate::{console, tool};

/// Records of these runs, or of all when none is named. What cannot be read is told and left out.
pub(crate) fn records(store: &Store, runs: &[String]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let filters: Vec<Filter> = match runs {
        [] => vec![Filter::default()],
        runs => {
            runs.iter().map(|run| Filter { run: Some(run.clone()), ..Filter::default() }).collect()
        }
    };
    for filter in filters {
        for record in store.records(&filter) {
            match record {
                Ok(record) => records.push(record),
                Err(error) => console::tell(format!("warning: left out: {error}")),
            }
        }
    }
    Ok(records)
}

/// Records as `yardstick export` writes them.
pub(crate) fn from_file(path: &Path) -> Result<Vec<Record>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| Record::from_json(line).with_context(|| format!("{name}:{}", at + 1)))
        .collect()
}

/// Records of several files.
pub(crate) fn from_files(paths: &[PathBuf]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for path in paths {
        records.extend(from_file(path)?);
    }
    Ok(records)
}

/// The store for reading; it must exist.
pub(crate) fn open(path: &Path) -> Result<Store> {
    if !path.exists() {
        bail!("there is no store at {}; `yardstick run` makes one", path.display());
    }
    Ok(Store::open_read_only(path)?)
}

/// Compares records, with the store's own A/A runs for the noise floor. `grid`: grams of CO2 a kWh.
pub(crate) fn compare(
    store: &Store,
    records: &[Record],
    baseline: Option<&str>,
    grid: Option<f64>,
) -> Result<Comparison> {
    let view = View { baseline: baseline.map(str::to_owned), noise: noise(store)?, grid };
    let comparison = view.compare(records);
    match baseline {
        Some(name) if !comparison.rows.iter().any(|row| view.asks_for(row)) => {
            let devices: BTreeSet<String> =
                comparison.rows.iter().map(|row| row.member()).collect();
            let known: Vec<String> = devices.into_iter().collect();
            let models: BTreeSet<&str> =
                comparison.rows.iter().map(|row| row.model.as_str()).collect();
            let models: Vec<&str> = models.into_iter().collect();
            bail!(
                "baseline {name:?} is none of the devices here: {}; nor of the models: {}",
                known.join(", "),
                models.join(", ")
            )
        }
        _ => Ok(comparison),
    }
}

/// Records of every A/A run in the store.
pub(crate) fn noise(store: &Store) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    for summary in store.runs()? {
        let run = summary.run;
        if is_noise(&run.suite, &run.command) {
            let filter = Filter { run: Some(run.id), ..Filter::default() };
            // What cannot be read is told where that run is shown.
            found.extend(store.records(&filter).filter_map(Result::ok));
        }
    }
    Ok(found)
}

/// The table, as wide as the terminal.
pub(crate) fn terminal(comparison: &Comparison) -> String {
    render::terminal(comparison, width(), console::colour())
}

/// Renders and writes.
pub(crate) fn show(
    comparison: &Comparison,
    records: &[Record],
    format: Format,
    output: Option<&Path>,
    title: &str,
) -> Result<()> {
    let text = match format {
        Format::Terminal => {
            let table =
                render::terminal(comparison, width(), output.is_none() && console::colour());
            match render::held_out(&HeldOut::of(records), false, width()) {
                text if text.is_empty() => table,
                text => format!("{table}\n{text}"),
            }
        }
        Format::Markdown => render::markdown(comparison),
        Format::Csv => render::csv(comparison),
        Format::CsvTradeoffs => render::csv_tradeoffs(comparison),
        Format::Json => render::json(comparison),
        Format::Html => return html(comparison, records, output, title),
    };
    match output {
        Some(path) => write(path, &text),
        None => Ok(io::stdout().lock().write_all(text.as_bytes())?),
    }
}

fn html(
    comparison: &Comparison,
    records: &[Record],
    output: Option<&Path>,
    title: &str,
) -> Result<()> {
    let path = output.context("an HTML report needs a file: pass --output FILE")?;
    write_html(path, comparison, records, title)?;
    Ok(console::say(format!("report: {}", path.display()))?)
}

/// One self-contained page.
pub(crate) fn write_html(
    path: &Path,
    comparison: &Comparison,
    records: &[Record],
    title: &str,
) -> Result<()> {
    let meta = render::Meta {
        title: title.to_owned(),
        generated: tool::now(),
        tool: format!("yardstick {}", env!("CARGO_PKG_VERSION")),
    };
    let text = render::html(comparison, records, &meta);
    write(path, &text)
}

/// Writes a file and the folders it is in.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Columns of the terminal; 100 where there is none.
pub(crate) fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    asked.or_else(terminal).unwrap_or(100)
}
