//! `yardstick route`: how many queries a small model may answer before it costs quality. Runs nothing, but for the study of exits.

mod exits;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use yardstick_analyse::{self as analyse, Comparison, Query, Side};
use yardstick_api::Known;
use yardstick_measure::routes;
use yardstick_record::{Metric, Record, Test};
use yardstick_render::{self as render, Meta};

use crate::args::Route;
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{output, tool};

/// The curve of the scores given, or of the answers of two files of records; or the study of early exits.
pub(crate) fn run(paths: impl FnOnce() -> Result<Paths>, args: &Route) -> Result<u8> {
    if let Some(model) = &args.exits {
        let text = exits::study(&paths()?, args, model)?;
        io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(DONE);
    }
    let plan = args.plan.as_deref().context("--plan is needed")?;
    let mut file = routes::parse(&plan.display().to_string(), &read(plan)?)?;
    let small = args.small.as_deref().map(output::from_file).transpose()?;
    let large = args.large.as_deref().map(output::from_file).transpose()?;
    let queries = queries(args, small.as_deref(), large.as_deref())?;
    for (side, path, records) in
        [(&mut file.small, &args.small, &small), (&mut file.large, &args.large, &large)]
    {
        if let (Some(path), Some(records)) = (path, records) {
            measured(side, records, &queries, path)?;
        }
    }
    let found = analyse::route(&queries, [&file.small, &file.large], &file.needs, file.cascade)
        .map_err(|error| anyhow!(error))?;
    if let Some(path) = &args.html {
        let meta = Meta {
            title: file.name.clone(),
            generated: tool::now(),
            tool: format!("yardstick {}", env!("CARGO_PKG_VERSION")),
        };
        let page = render::route_html(&meta, &file.currency, &found, file.battery_wh);
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
    }
    let text = match args.json {
        true => render::route_json(&file.name, &found),
        false => {
            render::route(&file.name, &file.currency, &found, file.battery_wh, output::width())
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(DONE)
}

/// Those of the file, with the models' own answers in place of its scores where both have records; without a file the answers
/// alone, as sure as the small model was.
fn queries(args: &Route, small: Option<&[Record]>, large: Option<&[Record]>) -> Result<Vec<Query>> {
    let given = match &args.scores {
        Some(path) => {
            let name = path.display().to_string();
            Some(routes::scores(&name, &read(path)?).map_err(|error| anyhow!(error))?)
        }
        None => None,
    };
    match (given, small, large) {
        (Some(queries), Some(small), Some(large)) => Ok(matched(queries, small, large)),
        (Some(queries), ..) => Ok(queries),
        (None, Some(small), Some(large)) => own(small, large),
        (None, ..) => bail!("--scores is needed, or --small and --large with records of answers"),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// The mean time of the prompts that records timed, and the energy that a meter told of them, go before what is stated.
fn measured(side: &mut Side, records: &[Record], queries: &[Query], path: &Path) -> Result<()> {
    let timed: Vec<&Record> = records
        .iter()
        .filter(|record| record.outcome.is_ok() && record.cell.test == Test::Prompts)
        .collect();
    let known = answers(records);
    if !queries.iter().any(|query| known.contains_key(query.id.as_str())) {
        bail!("{}: none of its answers has the id of a query", path.display());
    }
    let samples = || timed.iter().flat_map(|record| &record.samples);
    let n = samples().count();
    if n > 0 {
        let sum: f64 = samples().map(|sample| sample.nanoseconds as f64).sum();
        let seconds = sum / n as f64 / 1e9;
        side.latency_ms = Known::Value(1e3 * seconds);
        side.records = timed.iter().map(|record| record.id.clone()).collect();
        let own: Vec<Record> = timed.into_iter().cloned().collect();
        let rows = Comparison::of(&own).rows;
        if let Some(watts) = rows.iter().find_map(|row| row.estimate(Metric::MeanWatts)) {
            side.joules = Known::Value(watts.median * seconds);
        }
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
fn matched(queries: Vec<Query>, small: &[Record], large: &[Record]) -> Vec<Query> {
    let (small, large) = (answers(small), answers(large));
    let of = |query: Query| {
        let scores = (small.get(query.id.as_str()), large.get(query.id.as_str()));
        let (Some(&small), Some(&large)) = scores else { return None };
        Some(Query { small, large, ..query })
    };
    queries.into_iter().filter_map(of).collect()
}

/// What both answered, as sure as the small model's records say it was.
fn own(small: &[Record], large: &[Record]) -> Result<Vec<Query>> {
    let sure = confidences(small);
    if sure.is_empty() {
        bail!(
            "--small: no answer has a confidence, which only choices of this version have: name --scores with one for each query"
        );
    }
    let (small, large) = (answers(small), answers(large));
    let mut queries: Vec<Query> = sure
        .into_iter()
        .filter_map(|(id, confidence)| {
            let (&small, &large) = (small.get(id)?, large.get(id)?);
            Some(Query { id: id.to_owned(), small, large, confidence: Some(confidence) })
        })
        .collect();
    queries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(queries)
}

/// Of each question's first answer.
fn confidences(records: &[Record]) -> HashMap<&str, f64> {
    let mut sure = HashMap::new();
    let told = records.iter().filter(|record| record.outcome.is_ok());
    for answer in told.filter_map(|record| record.quality.as_ref()).flat_map(|q| &q.answers) {
        if let Some(confidence) = answer.confidence {
            sure.entry(answer.id.as_str()).or_insert(confidence);
        }
    }
    sure
}
