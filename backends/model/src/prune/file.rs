//! File to file: what a plan keeps, byte for byte.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::cut::{Cut, Failure, cut};
use super::{Error, Plan, metadata};
use crate::Model;
use crate::arch::TensorSpec;
use crate::quantize::{self, Output, Progress, Tell};

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Weights in all its tensors.
    pub parameters: u64,
}

/// Writes what a plan keeps of a model into a new file, whole or not at all. Every weight that stays keeps its bytes.
/// `what` is stored as `yardstick.pruned`.
pub fn prune(
    model: &Model,
    plan: &Plan,
    what: &str,
    out: &Path,
    tell: &mut Tell<'_>,
) -> Result<Pruned, Error> {
    check_place(model, out)?;
    let (mut header, expected) =
        metadata::header(model, &plan.layers, out.display().to_string(), what)?;
    let specs = expected.tensors();
    for spec in &specs {
        let (source, _) = source(model, plan, spec)?;
        header.tensor(&spec.name, source.format, &spec.shape)?;
    }
    let total_bytes = header.file_bytes()?;
    let mut output = Output::create(out, total_bytes)?;
    let written = (|| {
        let mut writer = header.start(&mut output)?;
        let mut bytes = 0;
        for spec in &specs {
            let (tensor, cut) = source(model, plan, spec)?;
            let mut sink = |piece: &[u8]| -> Result<(), Error> {
                writer.write(piece)?;
                bytes += piece.len() as u64;
                match tell(Progress { bytes, total_bytes }) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(quantize::Error::Stopped.into()),
                }
            };
            cut.bytes(&tensor, spec.shape.len() == 1, &mut sink).map_err(
                |failure| match failure {
                    Failure::Sink(error) => error,
                    Failure::Blocks => parted(model, tensor.name),
                },
            )?;
        }
        writer.finish()?;
        Ok::<(), Error>(())
    })();
    if let Err(error) = written {
        return Err(match error {
            Error::File(error) => output.explain(error).into(),
            other => other,
        });
    }
    model.check_unchanged()?;
    let sha256 = output.sync()?;
    output.commit()?;
    let parameters = specs.iter().map(|spec| spec.shape.iter().product::<usize>() as u64).sum();
    Ok(Pruned { sha256, bytes: total_bytes, parameters })
}

/// The tensor that one of the result comes from, and what stays of it.
fn source<'a>(
    model: &'a Model,
    plan: &Plan,
    spec: &TensorSpec,
) -> Result<(crate::Tensor<'a>, Cut), Error> {
    let kept = spec.layer.and_then(|layer| plan.layers.get(layer));
    let name = kept.map_or(spec.name.clone(), |kept| format!("blk.{}.{}", kept.from, spec.part));
    let tensor = model.tensor(&name).ok_or_else(|| Error::Inexpressible {
        path: model.gguf().path().display().to_string(),
        problem: format!("there is no tensor {name}"),
    })?;
    let cut = kept
        .map_or(Cut::Whole, |kept| cut(&model.architecture().layers[kept.from], kept, spec.part));
    Ok((tensor, cut))
}

fn parted(model: &Model, tensor: &str) -> Error {
    Error::Inexpressible {
        path: model.gguf().path().display().to_string(),
        problem: format!("what stays of {tensor} does not consist of whole blocks of its format"),
    }
}

/// The source is not written over while it is read.
pub(super) fn check_place(model: &Model, out: &Path) -> Result<(), Error> {
    let path = model.gguf().path();
    match (fs::canonicalize(path), fs::canonicalize(out)) {
        (Ok(from), Ok(to)) if from == to => {
            Err(quantize::Error::SameFile { path: path.display().to_string() }.into())
        }
        _ => Ok(()),
    }
}
