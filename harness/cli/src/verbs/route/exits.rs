//! The study of early exits: a text through the reference, a guess after every layer.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use yardstick_analyse::{ExitReading, exits};
use yardstick_measure::quality::{Asked, Material};
use yardstick_model::Model;
use yardstick_model::tokenizer::{Encoding, Tokenizer};
use yardstick_record::Test;
use yardstick_render as render;

use crate::args::Route;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::{console, interrupt, models, output};

/// Tokens of a window: its first positions see little, as those of any text do.
const WINDOW: usize = 128;

/// The study as text. Ctrl-C ends it after the window under way; what was read counts.
pub(super) fn study(paths: &Paths, args: &Route, name: &str) -> Result<String> {
    let model = Arc::new(Model::open(&models::path(paths, name)?)?);
    let asked = Asked { text: args.text.clone(), ..Asked::default() };
    let test: Test = "ppl".parse().context("ppl")?;
    let material = Material::read(&asked, &[test])?;
    let text = material.text.as_ref().and_then(|text| text.words()).context("--text: no text")?;
    let tokenizer = Tokenizer::from_gguf(model.gguf())
        .with_context(|| format!("{name}: a text is read through the model's own tokenizer"))?;
    let tokens = tokenizer.encode(text.as_bytes(), Encoding::default())?;
    let windows: Vec<&[u32]> = tokens.chunks(WINDOW).take(args.windows as usize).collect();
    if windows.is_empty() {
        bail!("--text: no tokens");
    }
    let cancel = interrupt::flag()?;
    let mut progress = Progress::new();
    progress.begin(format!("{name}: every layer's guesses"));
    let read = yardstick_reference::exits(&model, &windows, None, &mut |done| {
        progress.steps(done as u64, windows.len() as u64);
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    progress.clear();
    let readings: Vec<Vec<ExitReading>> = read?
        .into_iter()
        .map(|position| {
            let reading = |guess: yardstick_reference::Guess| ExitReading {
                token: guess.token,
                probability: f64::from(guess.probability),
            };
            position.into_iter().map(reading).collect()
        })
        .collect();
    let found = exits(&readings).context("the model has no layers to end after")?;
    Ok(match args.json {
        true => render::exits_json(name, &found),
        false => console::harmless(&render::exits(name, &found, output::width())),
    })
}
