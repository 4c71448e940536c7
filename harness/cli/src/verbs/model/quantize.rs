//! `yardstick model quantize`: one model file into others.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use yardstick_model::Gguf;
use yardstick_model::quantize::{Effort, Importance, Mix, Quantised, Quantising, quantize};

use crate::console;
use crate::interrupt;
use crate::progress::Progress;
use crate::verbs::DONE;

/// What `model quantize` was asked for.
pub(crate) struct Request<'a> {
    pub(crate) input: &'a Path,
    /// A file, or a folder where there are several types.
    pub(crate) output: &'a Path,
    pub(crate) types: Vec<&'a str>,
    pub(crate) effort: &'a str,
    pub(crate) imatrix: Option<&'a Path>,
    pub(crate) threads: usize,
    pub(crate) allow_requantize: bool,
    pub(crate) json: bool,
}

/// A type's name, its mix, and the file it goes into.
type Target = (&'static str, Mix, PathBuf);

/// Quantises the source into every type, each file whole or not at all.
pub(crate) fn run(request: &Request<'_>) -> Result<u8> {
    let targets = targets(request)?;
    let effort = Effort::ALL.into_iter().find(|effort| effort.name() == request.effort);
    let effort = effort.context("--effort is fast or best")?;
    let source = Gguf::open(request.input)?;
    let importance = match request.imatrix {
        Some(_) if effort == Effort::Fast => {
            bail!("--imatrix counts for nothing with --effort fast")
        }
        path => path.map(Importance::open).transpose()?,
    };
    let cancel = interrupt::flag()?;
    let mut told = Vec::new();
    let done = targets.iter().try_for_each(|(name, mix, output)| {
        let how = Quantising {
            mix: *mix,
            threads: request.threads,
            allow_requantize: request.allow_requantize,
            effort,
            importance: importance.as_ref(),
        };
        let done = one(&source, output, &how, &format!("to {name}"), &cancel)?;
        match request.json {
            true => told.push(describe(&done, output, name, effort)),
            false => tell(&done, output, request.imatrix)?,
        }
        anyhow::Ok(())
    });
    // What was written before an error is told all the same.
    if request.json && (done.is_ok() || !told.is_empty()) {
        console::say(serde_json::to_string_pretty(&told)?)?;
    }
    done.map(|()| DONE)
}

/// One file, with progress, until it is done or Ctrl-C.
pub(crate) fn one(
    source: &Gguf,
    output: &Path,
    how: &Quantising<'_>,
    what: &str,
    cancel: &AtomicBool,
) -> Result<Quantised> {
    let mut progress = Progress::new();
    progress.begin(format!("{} {what}", source.path().display()));
    let done = quantize(source, output, how, &mut |done| {
        progress.bytes(done.bytes, done.total_bytes);
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    progress.clear();
    Ok(done?)
}

/// What is to be written, all of it checked before anything is.
fn targets(request: &Request<'_>) -> Result<Vec<Target>> {
    let mut targets: Vec<Target> = Vec::new();
    for wanted in &request.types {
        let (name, mix) = mix(wanted)?;
        if targets.iter().any(|(other, ..)| *other == name) {
            bail!("{name} is asked for twice");
        }
        targets.push((name, mix, output(request, name, request.types.len() > 1)?));
    }
    Ok(targets)
}

/// A mix by name, in any case.
pub(crate) fn mix(wanted: &str) -> Result<(&'static str, Mix)> {
    let found = Mix::all().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| {
        let known: Vec<&str> = Mix::all().map(|(name, _)| name).collect();
        anyhow!("quantisation {wanted:?} cannot be written; one of {}", known.join(", "))
    })
}

/// The file of a type: the output itself, or `SOURCE-TYPE.gguf` in it.
fn output(request: &Request<'_>, name: &str, several: bool) -> Result<PathBuf> {
    if !several {
        return Ok(request.output.to_owned());
    }
    if request.output.is_file() {
        bail!("{}: several types need a folder, and this is a file", request.output.display());
    }
    let stem = request.input.file_stem().context("the source has no name")?.to_string_lossy();
    Ok(request.output.join(format!("{stem}-{name}.gguf")))
}

/// Every tensor that changed, then the file.
fn tell(done: &Quantised, output: &Path, imatrix: Option<&Path>) -> Result<()> {
    let changed = || done.tensors.iter().filter(|tensor| tensor.format != tensor.from);
    let width = changed().map(|tensor| tensor.name.len()).max().unwrap_or(0);
    for tensor in changed() {
        let relative = tensor.relative.map_or("all 0".into(), |r| format!("{:.3} %", r * 100.0));
        let lost = match tensor.not_finite {
            0 => String::new(),
            n => format!("  {n} weights NaN or infinite in the source, left out of the error"),
        };
        let unweighted = match imatrix.is_some() && !tensor.weighted {
            true => "  without importances",
            false => "",
        };
        console::say(format!(
            "{:<width$}  {:<6}  rmse {:.4e}  relative {relative}{unweighted}{lost}",
            tensor.name,
            tensor.format.name(),
            tensor.rmse
        ))?;
    }
    let share = done.bytes as f64 / done.source_bytes as f64 * 100.0;
    console::say(format!(
        "{} {} {} bytes, {share:.1} % of the source",
        done.sha256,
        output.display(),
        done.bytes
    ))?;
    Ok(())
}

fn describe(done: &Quantised, output: &Path, name: &str, effort: Effort) -> serde_json::Value {
    let tensors = done.tensors.iter().map(|tensor| {
        json!({
            "name": tensor.name,
            "from": tensor.from.name(),
            "format": tensor.format.name(),
            "weighted": tensor.weighted,
            "weights": tensor.weights,
            "not_finite": tensor.not_finite,
            "rmse": tensor.rmse,
            "relative_rmse": tensor.relative,
        })
    });
    json!({
        "path": output.display().to_string(),
        "type": name,
        "effort": effort.name(),
        "sha256": done.sha256,
        "bytes": done.bytes,
        "source_bytes": done.source_bytes,
        "tensors": tensors.collect::<Vec<_>>(),
    })
}
