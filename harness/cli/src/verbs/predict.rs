//! `yardstick predict`: speeds nobody measured, from records or a data sheet, each with its error bar and what it stands on. Runs
//! nothing.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use yardstick_analyse::predict::{Answer, HeldOut, Predictor, Question, Setup, Sheets};
use yardstick_measure::plan::{Catalogue, ModelRequest, ModelSource, resolve};
use yardstick_measure::sheets;
use yardstick_measure::suite::parse_tests;
use yardstick_model::preset::{self, PresetRef};
use yardstick_model::{Model, ModelInfo};
use yardstick_record::Record;
use yardstick_render as render;

use crate::args::Predict;
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{console, output};

/// Sequences there can be.
const MOST_SEQUENCES: usize = 4096;
/// Files longer than this are no catalogue.
const MOST_BYTES: u64 = 4 << 20;

/// Answers every question, or with `--held-out` holds what was measured against what would have been predicted.
pub(crate) fn run(paths: &Paths, args: &Predict) -> Result<u8> {
    let records = records(paths, args)?;
    let text = match args.held_out {
        true => held_out(&records, args.json),
        false => answers(&records, args)?,
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(DONE)
}

/// Of the file given, or of the store where there is one: a data sheet needs neither.
fn records(paths: &Paths, args: &Predict) -> Result<Vec<Record>> {
    match &args.records {
        Some(file) => output::from_file(file),
        None if paths.store.exists() => output::records(&output::open(&paths.store)?, &[]),
        None => Ok(Vec::new()),
    }
}

fn held_out(records: &[Record], json: bool) -> String {
    let found = HeldOut::of(records);
    if json {
        return format!("{:#}\n", serde_json::json!({ "held_out": found }));
    }
    match render::held_out(&found, true, output::width()) {
        text if text.is_empty() => {
            "no setup has verified cells of two presets or more: measure some with yardstick run\n"
                .to_owned()
        }
        text => text,
    }
}

fn answers(records: &[Record], args: &Predict) -> Result<String> {
    ensure!(
        (1..=MOST_SEQUENCES).contains(&args.sequences),
        "--sequences: found {}, expected 1 to {MOST_SEQUENCES}",
        args.sequences
    );
    let sheets = sheets(args.catalogue.as_deref())?;
    let tests = parse_tests(&args.test).context("--test")?;
    let models = models(&args.model)?;
    let predictor = Predictor::learn(records);
    let mut answers = Vec::new();
    for device in &args.device {
        let setups: Vec<&Setup> = predictor.setups().filter(|setup| setup.is(device)).collect();
        let sheet = sheets.find(device).filter(|_| setups.is_empty());
        if setups.is_empty() && sheet.is_none() {
            bail!("{}", unknown(device, &predictor, &sheets));
        }
        for (name, model) in &models {
            for &test in &tests {
                let question = Question { model, test, sequences: args.sequences };
                let one = |setup: &&Setup| Answer::of_setup(&predictor, setup, name, &question);
                answers.extend(setups.iter().map(one));
                answers.extend(sheet.map(|s| Answer::of_sheet(&sheets, s, name, &question)));
            }
        }
    }
    Ok(match args.json {
        true => format!("{:#}\n", serde_json::json!({ "predictions": answers })),
        false => console::harmless(&render::predictions(&answers, output::width())),
    })
}

/// Of the file given, or those built in.
pub(crate) fn sheets(file: Option<&Path>) -> Result<Sheets> {
    let Some(path) = file else { return Ok(sheets::built_in()?) };
    let name = path.display().to_string();
    let length = std::fs::metadata(path).with_context(|| name.clone())?.len();
    ensure!(length <= MOST_BYTES, "{name}: {length} bytes, expected a file of data sheets");
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    Ok(sheets::parse(&name, &text)?)
}

/// Files and presets by name; presets are not written.
pub(crate) fn models(names: &[String]) -> Result<Vec<(String, ModelInfo)>> {
    let requests = resolve(names, &[], &Catalogue::built_in())?;
    let info = |request: &ModelRequest| match &request.source {
        ModelSource::File(path) => Ok(Model::open(path)?.info().clone()),
        ModelSource::Preset { .. } => Ok(preset::info(&PresetRef::parse(&request.name)?)?),
        ModelSource::Named(name) => {
            bail!("{name}: name a file or a preset; a prediction fetches nothing")
        }
    };
    requests.iter().map(|request| Ok((request.name.clone(), info(request)?))).collect()
}

fn unknown(device: &str, predictor: &Predictor, sheets: &Sheets) -> String {
    let mut measured: Vec<&str> = predictor.setups().map(|setup| setup.device.as_str()).collect();
    measured.sort_unstable();
    measured.dedup();
    let known: Vec<&str> = sheets.devices.iter().map(|sheet| sheet.id.as_str()).collect();
    format!(
        "{device}: no verified cell of a preset was measured on it, and it has no data sheet; measured were {}; data sheets there are of {}",
        if measured.is_empty() { "none".to_owned() } else { measured.join(", ") },
        known.join(", ")
    )
}
