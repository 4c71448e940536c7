//! `yardstick model logits`: a device's raw answers, for other tools to check.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error as ValueError};
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, Options, Rows, Sequence, Session, Span, Token,
};
use yardstick_model::Model;

use crate::registry;
use crate::verbs::DONE;

/// What `model logits` was asked for.
pub(crate) struct Request<'a> {
    pub(crate) model: PathBuf,
    pub(crate) device: &'a str,
    pub(crate) tokens: &'a [Token],
    pub(crate) out: &'a Path,
    pub(crate) step: bool,
    pub(crate) kv: &'a str,
    pub(crate) numerics: Option<&'a str>,
    pub(crate) threads: Option<usize>,
    pub(crate) test_doubles: bool,
}

/// Loads the model, runs the tokens, writes (tokens, vocab) little-endian f32.
pub(crate) fn run(request: &Request<'_>) -> Result<u8> {
    let backends = registry::backends(request.test_doubles);
    let (backend, device) = find_device(&backends, request.device)?;
    let model = Arc::new(Model::open(&request.model)?);
    let options = Options {
        context: Some(request.tokens.len()),
        threads: request.threads,
        kv: word("--kv", request.kv)?,
        numerics: request.numerics.map(|name| word("--numerics", name)).transpose()?,
        ..Options::default()
    };
    let vocab = model.architecture().vocab;
    if let Some(bad) = request.tokens.iter().find(|&&token| token as usize >= vocab) {
        bail!("--tokens: {bad} is not a token of this model; its vocabulary is 0..{vocab}");
    }
    backend.plan(&device, model.info(), &options)?;
    let mut session = backend.load(&device, &model, &options)?;
    let logits = forward(session.as_mut(), request.tokens, request.step)?;
    ensure!(
        logits.len() == request.tokens.len() * vocab,
        "{} gave {} logits",
        device.id,
        logits.len()
    );
    write(request.out, &logits)?;
    eprintln!(
        "{} rows of {vocab} logits from {} in {}",
        request.tokens.len(),
        device.id,
        request.out.display()
    );
    Ok(DONE)
}

fn forward(session: &mut dyn Session, tokens: &[Token], step: bool) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    for tokens in tokens.chunks(if step { 1 } else { tokens.len() }) {
        let spans = [Span { sequence: Sequence(0), tokens }];
        session.forward(&Batch { spans: &spans, rows: Rows::All })?;
        values.extend_from_slice(session.logits()?.values);
    }
    Ok(values)
}

fn write(path: &Path, values: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut file =
        fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(&bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// A device by id, or a backend's preferred one by the backend's name.
fn find_device<'a>(
    backends: &'a [Box<dyn Backend>],
    name: &str,
) -> Result<(&'a dyn Backend, Device)> {
    let mut known = Vec::new();
    for backend in backends {
        for status in backend.devices() {
            known.push(status.id().to_owned());
            match status {
                DeviceStatus::Ready(device)
                    if device.id == name || (device.preferred && backend.name() == name) =>
                {
                    return Ok((backend.as_ref(), device));
                }
                DeviceStatus::Missing { id, reason, fix } if id == name => {
                    let fix = fix.map(|fix| format!("; fix: {fix}")).unwrap_or_default();
                    bail!("device {name} is not usable here: {reason}{fix}");
                }
                _ => {}
            }
        }
    }
    Err(anyhow!("no device {name:?}; devices: {}", known.join(", ")))
}

/// One of an enum's names, as suites write it.
fn word<T: DeserializeOwned>(flag: &str, name: &str) -> Result<T> {
    T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name))
        .map_err(|error| anyhow!("{flag}: {error}"))
}
