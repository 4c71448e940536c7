//! File to file: every tensor decoded row by row and encoded to the format a mix gives it, metadata kept.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::importance::Matched;
use super::output::Output;
use super::stream::{self, CHUNK_WEIGHTS, Errors, How, Progress, Rows, Stretch, Tell};
use super::{Effort, Error, Importance, Mix, Network};
use crate::gguf::{Header, TensorInfo, Value};
use crate::{Format, Gguf};

/// How to quantise.
#[derive(Clone, Copy, Debug)]
pub struct Quantising<'a> {
    /// Which tensor gets which format.
    pub mix: Mix,
    /// Threads that encode.
    pub threads: usize,
    /// Accept a source that is quantised already.
    pub allow_requantize: bool,
    /// How long to look for the best integers.
    pub effort: Effort,
    /// Which columns matter more; `None` where all matter the same.
    pub importance: Option<&'a Importance>,
}

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of the source.
    pub source_bytes: u64,
    /// How well each tensor was kept, in file order.
    pub tensors: Vec<Quality>,
}

/// How far a tensor is from its source.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// GGUF's name.
    pub name: String,
    /// The source's format.
    pub from: Format,
    /// The format it was given.
    pub format: Format,
    /// Whether importances steered its encoder.
    pub weighted: bool,
    /// Weights.
    pub weights: u64,
    /// Weights that are NaN or infinite in the source, left out of the errors.
    pub not_finite: u64,
    /// Root of the mean squared difference.
    pub rmse: f64,
    /// The same, as a share of the root of the mean squared weight; `None` where all are 0.
    pub relative: Option<f64>,
}

/// Quantises a model into a new file, whole or not at all. Metadata are kept, but for `general.file_type` and
/// `general.quantization_version`; tensors that the mix leaves alone (norms, biases) keep their format.
/// Memory stays at a few MiB a thread beside the map of the source. `tell` hears of the progress and may stop it.
pub fn quantize(
    source: &Gguf,
    out: &Path,
    how: &Quantising<'_>,
    tell: &mut Tell<'_>,
) -> Result<Quantised, Error> {
    check_source(source, out, how)?;
    let importance = how.importance.map(|importance| importance.of(source)).transpose()?;
    let network = Network { importance: how.importance.is_some(), ..network(source)? };
    let mut header = Header::new(out.display().to_string());
    header.copy_metadata(source);
    header.set("general.file_type", how.mix.file_type());
    header.set("general.quantization_version", 2_u32);
    let mut stretches = Vec::new();
    for tensor in source.tensors() {
        let format = target(tensor, how.mix, &network);
        header.tensor(&tensor.name, format, &tensor.shape)?;
        let cols = tensor.shape.first().copied().unwrap_or(1);
        stretches.push(Stretch { format, cols, rows: tensor.shape.iter().skip(1).product() });
    }
    let bytes = header.file_bytes()?;
    let mut output = Output::create(out, bytes)?;
    let mut errors = vec![Errors::default(); stretches.len()];
    let rows = Decoded { source, importance: importance.as_ref() };
    let speed = How { threads: how.threads, effort: how.effort, measured: true };
    match write_measured(header, &stretches, &rows, speed, &mut output, &mut errors, tell) {
        Ok(()) => {}
        Err(error) => return Err(output.explain(error)),
    }
    source.check_unchanged()?;
    let sha256 = output.sync()?;
    output.commit()?;
    let sums = source.tensors().iter().zip(&stretches).zip(&errors);
    let tensors = sums.map(|((tensor, stretch), errors)| {
        let known = importance.as_ref().is_some_and(|i| i.knows(&tensor.name));
        let weighted = known && stretch.format.searches(how.effort);
        Quality { weighted, ..quality(tensor, stretch, errors) }
    });
    let tensors = tensors.collect();
    Ok(Quantised { sha256, bytes, source_bytes: source.file_bytes() as u64, tensors })
}

fn quality(tensor: &TensorInfo, stretch: &Stretch, errors: &Errors) -> Quality {
    let weights = tensor.weights() as u64;
    let counted = (weights - errors.not_finite.min(weights)).max(1);
    Quality {
        name: tensor.name.clone(),
        from: tensor.format,
        format: stretch.format,
        weighted: false,
        weights,
        not_finite: errors.not_finite,
        rmse: (errors.error / counted as f64).sqrt(),
        relative: (errors.energy > 0.0).then(|| (errors.error / errors.energy).sqrt()),
    }
}

/// Writes header and data to an output, quickly, with errors summed where `measured`.
pub(crate) fn write_and_sum(
    header: Header,
    stretches: &[Stretch],
    rows: &dyn Rows,
    (threads, measured): (usize, bool),
    mut output: Output,
    tell: &mut Tell<'_>,
) -> Result<(Output, Vec<Errors>), Error> {
    let how = How { threads, effort: Effort::Fast, measured };
    let mut errors = vec![Errors::default(); stretches.len()];
    match write_measured(header, stretches, rows, how, &mut output, &mut errors, tell) {
        Ok(()) => Ok((output, errors)),
        Err(error) => Err(output.explain(error)),
    }
}

/// Writes header and data, and sums every tensor's errors.
fn write_measured(
    header: Header,
    stretches: &[Stretch],
    rows: &dyn Rows,
    how: How,
    out: &mut dyn std::io::Write,
    errors: &mut [Errors],
    tell: &mut Tell<'_>,
) -> Result<(), Error> {
    let total_bytes = header.file_bytes()?;
    let mut writer = header.start(out)?;
    let mut bytes = 0;
    stream::encode_pieces(stretches, rows, how, CHUNK_WEIGHTS, &mut |piece| {
        writer.write(&piece.bytes)?;
        bytes += piece.bytes.len() as u64;
        let sums = &mut errors[piece.tensor];
        sums.error += piece.errors.error;
        sums.energy += piece.errors.energy;
        sums.not_finite += piece.errors.not_finite;
        match tell(Progress { bytes, total_bytes }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    })?;
    writer.finish()?;
    let _ = tell(Progress { bytes: total_bytes, total_bytes });
    Ok(())
}

/// Writes header and data to an output, which it gives back complete but without its name.
pub(crate) fn write(
    header: Header,
    stretches: &[Stretch],
    rows: &dyn Rows,
    threads: usize,
    mut output: Output,
    tell: &mut Tell<'_>,
) -> Result<Output, Error> {
    match write_to(header, stretches, rows, threads, &mut output, tell) {
        Ok(()) => Ok(output),
        Err(error) => Err(output.explain(error)),
    }
}

/// As [`write`], to anything that takes bytes.
pub(crate) fn write_to(
    header: Header,
    stretches: &[Stretch],
    rows: &dyn Rows,
    threads: usize,
    out: &mut dyn std::io::Write,
    tell: &mut Tell<'_>,
) -> Result<(), Error> {
    let total_bytes = header.file_bytes()?;
    let mut writer = header.start(out)?;
    let mut bytes = 0;
    stream::encode(stretches, rows, threads, CHUNK_WEIGHTS, &mut |piece| {
        writer.write(piece)?;
        bytes += piece.len() as u64;
        match tell(Progress { bytes, total_bytes }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    })?;
    writer.finish()?;
    let _ = tell(Progress { bytes: total_bytes, total_bytes });
    Ok(())
}

/// What a mix must know of a file's model. Files without these keys (no model at all) count as one dense layer.
pub fn network(source: &Gguf) -> Result<Network, Error> {
    let architecture = source.str("general.architecture")?.unwrap_or("").to_owned();
    let number = |suffix: &str| -> Result<Option<usize>, Error> {
        let value = source.value(&format!("{architecture}.{suffix}"));
        // A per-layer array counts by its first layer, as in llama.cpp.
        let value = match value {
            Some(Value::Array(array)) => array.iter().next(),
            other => other,
        };
        Ok(value.and_then(|v| v.unsigned()).and_then(|v| usize::try_from(v).ok()))
    };
    let heads = number("attention.head_count")?.unwrap_or(1);
    let kv_heads = number("attention.head_count_kv")?.unwrap_or(heads).max(1);
    let layers = number("block_count")?.unwrap_or(1);
    Ok(Network {
        layers,
        tied_head: source.tensor("output.weight").is_none(),
        experts: number("expert_count")?.unwrap_or(0),
        heads_per_kv: heads / kv_heads,
        seventy: seventy(&architecture, layers, heads, kv_heads),
        importance: false,
    })
}

/// Whether llama.cpp counts a model among those of 70B.
pub(crate) fn seventy(architecture: &str, layers: usize, heads: usize, kv_heads: usize) -> bool {
    match architecture {
        "llama" => layers == 80 && heads != kv_heads,
        "qwen2" => layers == 80,
        _ => false,
    }
}

/// The format of a tensor in the new file. What the mix leaves alone keeps its format.
fn target(tensor: &TensorInfo, mix: Mix, network: &Network) -> Format {
    match mix.format_of(&tensor.name, &tensor.shape, network) {
        Format::F32 if mix.base() != Format::F32 => tensor.format,
        format => format,
    }
}

fn check_source(source: &Gguf, out: &Path, how: &Quantising) -> Result<(), Error> {
    let path = || source.path().display().to_string();
    if let (Ok(from), Ok(to)) = (fs::canonicalize(source.path()), fs::canonicalize(out))
        && from == to
    {
        return Err(Error::SameFile { path: path() });
    }
    let full = |format| matches!(format, Format::F32 | Format::F16 | Format::BF16);
    match source.tensors().iter().find(|tensor| !full(tensor.format)) {
        Some(tensor) if !how.allow_requantize => Err(Error::Requantising {
            path: path(),
            tensor: tensor.name.clone(),
            format: tensor.format,
        }),
        _ => Ok(()),
    }
}

/// The rows of a file's tensors as f32, and how much their columns count.
pub(crate) struct Decoded<'a> {
    source: &'a Gguf,
    importance: Option<&'a Matched>,
}

impl<'a> Decoded<'a> {
    /// Every column counts the same.
    pub(crate) fn of(source: &'a Gguf) -> Decoded<'a> {
        Decoded { source, importance: None }
    }
}

impl Rows for Decoded<'_> {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        let tensor = &self.source.tensors()[tensor];
        let cols = tensor.shape.first().copied().unwrap_or(1);
        let start = first * tensor.format.row_bytes(cols);
        let bytes = &self.source.bytes(tensor)[start..];
        // The reader proved that the tensor has all its rows.
        tensor.format.decode(&bytes[..tensor.format.row_bytes(out.len())], out);
    }

    fn importance(&self, tensor: usize, row: usize) -> Option<&[f32]> {
        let tensor = &self.source.tensors()[tensor];
        self.importance?.row(&tensor.name, &tensor.shape, row)
    }
}
