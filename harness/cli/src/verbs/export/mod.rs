//! `yardstick export`: records as JSON lines, as what other tools read, or the JSON Schema they follow.

mod bundle;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_analyse::{Comparison, Row};
use yardstick_interchange as interchange;
use yardstick_interchange::llama_bench::{self, Shape, Written};
use yardstick_record::{Direction, Record};
use yardstick_render as render;
use yardstick_store::{Filter, Store};

use crate::args::{Better, Export, ExportFormat};
use crate::console;
use crate::output;
use crate::paths::Paths;
use crate::verbs::{DONE, FAILED};

/// Writes records; those that cannot be read are told, and the exit code says so.
pub(crate) fn run(paths: &Paths, args: &Export) -> Result<u8> {
    if args.schema {
        let mut out = create(args.output.as_deref())?;
        writeln!(out, "{:#}", yardstick_record::json_schema())?;
        out.flush()?;
        return Ok(DONE);
    }
    let store = output::open(&paths.store)?;
    let filters: Vec<Filter> = match args.runs.as_slice() {
        [] => vec![Filter::default()],
        runs => runs
            .iter()
            .map(|id| Ok(Filter { run: Some(store.run(id)?.id), ..Filter::default() }))
            .collect::<Result<_>>()?,
    };
    if let Some(file) = &args.bundle {
        paths.spare_the_store(Some(file))?;
        return bundle::write(&store, &filters, file, args.profile, args.preview);
    }
    // Last, so that a request that cannot be met leaves an older export as it was.
    paths.spare_the_store(args.output.as_deref())?;
    let complete = match args.format {
        ExportFormat::Jsonl => {
            let mut out = create(args.output.as_deref())?;
            let complete = lines(&store, &filters, &mut out)?;
            out.flush()?;
            complete
        }
        format => {
            let (records, complete) = records(&store, &filters)?;
            let mut out = create(args.output.as_deref())?;
            convert(&records, format, args, &mut out)?;
            out.flush()?;
            complete
        }
    };
    Ok(if complete { DONE } else { FAILED })
}

fn lines(store: &Store, filters: &[Filter], out: &mut dyn Write) -> Result<bool> {
    let mut complete = true;
    for filter in filters {
        for error in &store.export(filter, out)?.unreadable {
            console::tell(format!("warning: left out: {error}"));
            complete = false;
        }
    }
    Ok(complete)
}

/// The records, and whether all of them could be read.
fn records(store: &Store, filters: &[Filter]) -> Result<(Vec<Record>, bool)> {
    let (mut records, mut complete) = (Vec::new(), true);
    for record in filters.iter().flat_map(|filter| store.records(filter)) {
        match record {
            Ok(record) => records.push(record),
            Err(error) => {
                console::tell(format!("warning: left out: {error}"));
                complete = false;
            }
        }
    }
    Ok((records, complete))
}

/// Writes another tool's format, and tells what it cannot hold.
fn convert(
    records: &[Record],
    format: ExportFormat,
    args: &Export,
    out: &mut dyn Write,
) -> Result<()> {
    let comparison = Comparison::of(records);
    let text = match format {
        ExportFormat::LlamaBench => return llama(records, Shape::Json, out),
        ExportFormat::LlamaBenchJsonl => return llama(records, Shape::Jsonl, out),
        ExportFormat::LlamaBenchCsv => return llama(records, Shape::Csv, out),
        ExportFormat::Jsonl => return Ok(()),
        ExportFormat::Csv => render::csv(&comparison),
        ExportFormat::Bmf => interchange::bmf(&comparison),
        ExportFormat::GithubAction => {
            let direction = match args.direction {
                Better::Bigger => Direction::Higher,
                Better::Smaller => Direction::Lower,
            };
            interchange::github_action(&comparison, direction)
        }
        ExportFormat::Prometheus => {
            let times = times(records);
            let time = |row: &Row| {
                row.records.iter().filter_map(|id| times.get(id.as_str()).copied()).max()
            };
            interchange::prometheus(&comparison, &|row| {
                args.timestamps.then(|| time(row)).flatten()
            })
        }
    };
    // A table and a status series hold failures too.
    if matches!(format, ExportFormat::Bmf | ExportFormat::GithubAction) {
        tell_left_out(&interchange::left_out(&comparison), "cells");
    }
    Ok(out.write_all(text.as_bytes())?)
}

fn llama(records: &[Record], shape: Shape, out: &mut dyn Write) -> Result<()> {
    let Written { unverified, left_out, neutral, .. } = llama_bench::write(records, shape, out)?;
    tell_left_out(&left_out, "records");
    if !neutral.is_empty() {
        let names: Vec<&str> = neutral.into_iter().collect();
        console::tell(format!(
            "note: no value here for, and llama-bench's neutral one written: {}",
            names.join(", ")
        ));
    }
    if unverified > 0 {
        console::tell(format!(
            "warning: {unverified} results were not verified, which llama-bench's format cannot say"
        ));
    }
    Ok(())
}

fn tell_left_out(reasons: &interchange::LeftOut, what: &str) {
    for (reason, count) in reasons {
        console::tell(format!("left out: {count} {what}: {reason}"));
    }
}

/// When each record was measured, milliseconds since 1970.
fn times(records: &[Record]) -> HashMap<&str, i64> {
    let time = |record: &Record| record.started.parse::<jiff::Timestamp>().ok();
    records
        .iter()
        .filter_map(|record| Some((record.id.as_str(), time(record)?.as_millisecond())))
        .collect()
}

fn create(output: Option<&Path>) -> Result<Box<dyn Write>> {
    Ok(match output {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    })
}
