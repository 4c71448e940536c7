//! `yardstick route`: how many queries a small model may answer before it costs quality. Runs nothing.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use yardstick_analyse::{self as analyse, Query, Side};
use yardstick_api::Known;
use yardstick_measure::routes;
use yardstick_record::{Record, Test};
use yardstick_render as render;

use crate::args::Route;
use crate::output;
use crate::verbs::DONE;

/// The curve of the scores given, or of the answers of two files of records with the confidences given.
pub(crate) fn run(args: &Route) -> Result<u8> {
    let mut file = routes::parse(&args.plan.display().to_string(), &read(&args.plan)?)?;
    let scores_of = |path: &Path| -> Result<Vec<Query>> {
        routes::scores(&path.display().to_string(), &read(path)?).map_err(|error| anyhow!(error))
    };
    let queries = scores_of(&args.scores)?;
    if let Some(path) = &args.small {
        measured(&mut file.small, &output::from_file(path)?, &queries, path)?;
    }
    if let Some(path) = &args.large {
        measured(&mut file.large, &output::from_file(path)?, &queries, path)?;
    }
    let queries = match (&args.small, &args.large) {
        (Some(small), Some(large)) => matched(queries, small, large)?,
        _ => queries,
    };
    let found = analyse::route(&queries, [&file.small, &file.large], &file.needs, file.cascade)
        .map_err(|error| anyhow!(error))?;
    let text = match args.json {
        true => render::route_json(&file.name, &found),
        false => {
            render::route(&file.name, &file.currency, &found, file.battery_wh, output::width())
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(DONE)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// The mean time of the prompts that records timed goes before one that is stated.
fn measured(side: &mut Side, records: &[Record], queries: &[Query], path: &Path) -> Result<()> {
    let timed: Vec<&Record> = records
        .iter()
        .filter(|record| record.outcome.is_ok() && record.cell.test == Test::Prompts)
        .collect();
    let known = answers(records);
    if !queries.iter().any(|query| known.contains_key(query.id.as_str())) {
        bail!("{}: none of its answers has the id of a query in --scores", path.display());
    }
    let samples = || timed.iter().flat_map(|record| &record.samples);
    let n = samples().count();
    if n > 0 {
        let sum: f64 = samples().map(|sample| sample.nanoseconds as f64).sum();
        side.latency_ms = Known::Value(sum / n as f64 / 1e6);
        side.records = timed.iter().map(|record| record.id.clone()).collect();
    }
    Ok(())
}

/// Right answers by the question's id, of the first record that has it.
fn answers(records: &[Record]) -> HashMap<&str, f64> {
    let mut right = HashMap::new();
    let told = records.iter().filter(|record| record.outcome.is_ok());
    for answer in told.filter_map(|record| record.quality.as_ref()).flat_map(|q| &q.answers) {
        if let Some(is_right) = answer.right {
            right.entry(answer.id.as_str()).or_insert(f64::from(u8::from(is_right)));
        }
    }
    right
}

/// Scores of both models' own answers in place of those given: confidences are still the file's.
fn matched(queries: Vec<Query>, small: &Path, large: &Path) -> Result<Vec<Query>> {
    let (small, large) = (output::from_file(small)?, output::from_file(large)?);
    let (small, large) = (answers(&small), answers(&large));
    let of = |query: Query| {
        let scores = (small.get(query.id.as_str()), large.get(query.id.as_str()));
        let (Some(&small), Some(&large)) = scores else { return None };
        Some(Query { small, large, ..query })
    };
    Ok(queries.into_iter().filter_map(of).collect())
}
