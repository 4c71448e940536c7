//! File to file: every tensor decoded row by row and encoded to the format a mix gives it, metadata kept.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::output::Output;
use super::stream::{self, CHUNK_WEIGHTS, Progress, Rows, Stretch, Tell};
use super::{Error, Mix, Network};
use crate::gguf::{Header, TensorInfo, Value};
use crate::{Format, Gguf};

/// How to quantise.
#[derive(Clone, Copy, Debug)]
pub struct Quantising {
    /// Which tensor gets which format.
    pub mix: Mix,
    /// Threads that encode.
    pub threads: usize,
    /// Accept a source that is quantised already.
    pub allow_requantize: bool,
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
}

/// Quantises a model into a new file, whole or not at all. Metadata are kept, but for `general.file_type` and
/// `general.quantization_version`; tensors that the mix leaves alone (norms, biases) keep their format.
/// Memory stays at a few MiB a thread beside the map of the source. `tell` hears of the progress and may stop it.
pub fn quantize(
    source: &Gguf,
    out: &Path,
    how: &Quantising,
    tell: &mut Tell<'_>,
) -> Result<Quantised, Error> {
    check_source(source, out, how)?;
    let network = network(source)?;
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
    let output = Output::create(out, bytes)?;
    let mut output = write(header, &stretches, &Decoded(source), how.threads, output, tell)?;
    source.check_unchanged()?;
    let sha256 = output.sync()?;
    output.commit()?;
    Ok(Quantised { sha256, bytes, source_bytes: source.file_bytes() as u64 })
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

/// The rows of a file's tensors as f32.
struct Decoded<'a>(&'a Gguf);

impl Rows for Decoded<'_> {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        let tensor = &self.0.tensors()[tensor];
        let cols = tensor.shape.first().copied().unwrap_or(1);
        let start = first * tensor.format.row_bytes(cols);
        // The reader proved that the tensor has all its rows.
        tensor
            .format
            .decode(&self.0.bytes(tensor)[start..][..tensor.format.row_bytes(out.len())], out);
    }
}
