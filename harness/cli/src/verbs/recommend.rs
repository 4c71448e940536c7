//! `yardstick recommend`: which device, model and format meet the needs, what each costs, and how firm that is. Runs nothing.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use yardstick_analyse::predict::{Predictor, Setup, Sheets};
use yardstick_analyse::recommend::{Candidate, Needs, WhatIf, recommend};
use yardstick_analyse::{Comparison, is_noise};
use yardstick_measure::needs;
use yardstick_model::ModelInfo;
use yardstick_record::Record;
use yardstick_render as render;

use crate::args::Recommend;
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::verbs::predict::{models, sheets};
use crate::{console, output};

/// Largest count of a what-if.
const MOST: usize = 1 << 24;

/// Judges every candidate of the records, and those asked about.
pub(crate) fn run(paths: &Paths, args: &Recommend) -> Result<u8> {
    let needs = read(&args.need)?;
    let records = records(paths, args)?;
    let asked: Vec<Asked> = args.what_if.iter().map(|text| asked(text)).collect::<Result<_>>()?;
    let what_if = match asked.is_empty() {
        true => Vec::new(),
        false => predicted(&records, &asked, &sheets(args.catalogue.as_deref())?, &needs)?,
    };
    let found = recommend(&Comparison::of(&records), what_if, needs, args.seed);
    let text = match args.json {
        true => render::recommend_json(&found),
        false => console::harmless(&render::recommend(&found, output::width())),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(DONE)
}

fn read(path: &Path) -> Result<Needs> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    Ok(needs::parse(&name, &text)?)
}

fn records(paths: &Paths, args: &Recommend) -> Result<Vec<Record>> {
    let mut records = match args.records.as_slice() {
        [] if paths.store.exists() => output::records(&output::open(&paths.store)?, &[])?,
        [] => Vec::new(),
        files => output::from_files(files)?,
    };
    // Two copies of one device that measured the machine's noise are no choice.
    records.retain(|record| !is_noise(&record.run.suite, &record.run.command));
    Ok(records)
}

/// What a `--what-if` says.
#[derive(Default)]
struct Asked {
    device: Option<String>,
    model: Option<String>,
    depth: Option<usize>,
    sequences: usize,
}

fn asked(text: &str) -> Result<Asked> {
    let mut asked = Asked { sequences: 1, ..Asked::default() };
    for part in text.split(',') {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let count = || {
            let count = value.parse().ok().filter(|n| (0..=MOST).contains(n));
            count.with_context(|| format!("--what-if: {key}: found {value:?}, expected a number"))
        };
        match key.trim() {
            "device" => asked.device = Some(value.to_owned()),
            "model" => asked.model = Some(value.to_owned()),
            "depth" => asked.depth = Some(count()?),
            "sequences" => asked.sequences = count()?.max(1),
            _ => bail!(
                "--what-if: found {key:?}, expected device=ID, model=NAME, depth=N or sequences=N"
            ),
        }
    }
    Ok(asked)
}

/// Candidates that were not measured, those of one question together.
fn predicted(
    records: &[Record],
    asked: &[Asked],
    sheets: &Sheets,
    needs: &Needs,
) -> Result<Vec<Candidate>> {
    let predictor = Predictor::learn(records);
    let measured = presets(records);
    let mut found = Vec::new();
    for one in asked {
        let names: Vec<String> =
            one.model.as_ref().map_or_else(|| measured.clone(), |m| vec![m.clone()]);
        let device = one.device.as_deref();
        let is_it = |setup: &&Setup| device.is_none_or(|device| setup.is(device));
        let setups: Vec<&Setup> = predictor.setups().filter(is_it).collect();
        let sheet = device.and_then(|device| sheets.find(device)).filter(|_| setups.is_empty());
        if setups.is_empty() && sheet.is_none() {
            let known: Vec<&str> = sheets.devices.iter().map(|sheet| sheet.id.as_str()).collect();
            bail!(
                "--what-if: {}: no verified cell of a preset was measured on it, and it has no data sheet; there are {}",
                device.unwrap_or("any device"),
                known.join(", ")
            );
        }
        for (name, model) in &models_of(&names)? {
            let depth = one.depth.unwrap_or(needs.workload.depth);
            let question = WhatIf { name, model, depth, sequences: one.sequences };
            found.extend(setups.iter().map(|s| question.on_setup(&predictor, s, needs)));
            found.extend(sheet.map(|sheet| question.on_sheet(sheets, sheet, needs)));
        }
    }
    Ok(found)
}

fn models_of(names: &[String]) -> Result<Vec<(String, ModelInfo)>> {
    if names.is_empty() {
        bail!("--what-if: no records name a preset: say model=NAME");
    }
    models(names).context("--what-if")
}

/// Presets that records are of: their shapes are known without their files.
fn presets(records: &[Record]) -> Vec<String> {
    let is_preset = |record: &&Record| record.cell.model.random_weights.is_some();
    let mut names: Vec<String> =
        records.iter().filter(is_preset).map(|record| record.cell.model.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}
