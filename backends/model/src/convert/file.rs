//! A folder to a GGUF file: read, planned, then streamed, whole or not at all.

use std::path::Path;

use super::assemble::Assemblies;
use super::config::Config;
use super::lora::Lora;
use super::metadata;
use super::plan::Planner;
use super::tokenizer::{self, Text};
use crate::Format;
use crate::gguf::Header;
use crate::quantize::{self, Error, Errors, Mix, Network, Output, Stretch, Tell};
use crate::safetensors::{Checkpoint, Dtype};

/// How to convert.
#[derive(Clone, Copy, Debug)]
pub struct Converting<'a> {
    /// Which tensor gets which format; `None`: the format most weights of the checkpoint have.
    pub mix: Option<Mix>,
    /// A LoRA adapter that is merged: PEFT's folder or a GGUF file.
    pub lora: Option<&'a Path>,
    /// Threads that encode.
    pub threads: usize,
}

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Converted {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// GGUF's `general.architecture`.
    pub architecture: String,
    /// The mix of formats.
    pub mix: Mix,
    /// Targets of the adapter that was merged.
    pub merged: usize,
    /// Oddities that do no harm, and why the file's tokenizer is missing where it is.
    pub notes: Vec<String>,
}

/// Converts a checkpoint into a new file, whole or not at all. Memory stays at a few MiB a thread beside the maps of the
/// checkpoint. `tell` hears of the progress and may stop it.
pub fn convert(
    folder: &Path,
    out: &Path,
    how: &Converting<'_>,
    tell: &mut Tell<'_>,
) -> Result<Converted, Error> {
    let config = Config::of_folder(folder, "config.json")?;
    let source = metadata::source(&config)?;
    let checkpoint = match config.scheme()? {
        None => Checkpoint::open(folder)?,
        Some(scheme) => Checkpoint::open(folder)?.unpack(scheme)?,
    };
    spare_the_source(out, &checkpoint, how.lora)?;
    let lora = how.lora.map(Lora::open).transpose()?;
    let mut header = Header::new(out.display().to_string());
    let shape = metadata::set(&mut header, source, &config)?;
    let planner = Planner::new(source, &config, &checkpoint, &shape, lora.as_ref());
    let planned = planner.plan(&header)?;
    let text = tokenizer::set(&mut header, folder, &config)?;
    let mix = how.mix.unwrap_or_else(|| usual(&checkpoint));
    describe(&mut header, folder, mix, lora.is_some());
    let (mut stretches, mut assemblies) = (Vec::new(), Vec::new());
    let network = Network {
        layers: shape.layers as usize,
        tied_head: !planned.iter().any(|tensor| tensor.spec.part == "output.weight"),
        ..header_network(&header)?
    };
    for tensor in planned {
        let (cols, rows) = (tensor.spec.shape[0], tensor.spec.shape[1..].iter().product());
        let format = mix.format_of(&tensor.spec.name, &tensor.spec.shape, &network);
        header.tensor(&tensor.spec.name, format, &tensor.spec.shape)?;
        stretches.push(Stretch { format, cols, rows });
        assemblies.push((tensor.assembly, cols));
    }
    let bytes = header.file_bytes()?;
    let output = Output::create(out, bytes)?;
    let rows = Assemblies(assemblies);
    // What a scheme packed is not what any format of ours holds: how far off the result is must be told.
    let measured = checkpoint.packed() > 0;
    let (mut output, errors) =
        quantize::write_and_sum(header, &stretches, &rows, (how.threads, measured), output, tell)?;
    checkpoint.check_unchanged()?;
    let sha256 = output.sync()?;
    output.commit()?;
    let mut notes = checkpoint.warnings().to_vec();
    notes.extend(text);
    if measured {
        notes.push(residual(checkpoint.packed(), &errors));
    }
    let (architecture, merged) =
        (source.architecture.to_owned(), lora.map_or(0, |lora| lora.len()));
    Ok(Converted { sha256, bytes, architecture, mix, merged, notes })
}

/// The new file takes the place of no file it is made from.
fn spare_the_source(out: &Path, checkpoint: &Checkpoint, lora: Option<&Path>) -> Result<(), Error> {
    let Ok(to) = out.canonicalize() else { return Ok(()) };
    let files = checkpoint.files().iter().map(|file| file.path()).chain(lora);
    match files.filter_map(|file| file.canonicalize().ok()).any(|from| from == to) {
        true => Err(Error::SameFile { path: out.display().to_string() }),
        false => Ok(()),
    }
}

impl Text {
    /// What to tell whoever converts.
    fn note(self) -> Vec<String> {
        match self {
            Text::Complete(notes) => notes,
            Text::Missing(reason) => vec![format!("no tokenizer: {reason}; texts cannot be read")],
        }
    }
}

impl IntoIterator for Text {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;
    fn into_iter(self) -> Self::IntoIter {
        self.note().into_iter()
    }
}

/// What a quantiser must know, read back from the metadata.
fn header_network(header: &Header) -> Result<Network, Error> {
    let gguf = crate::Gguf::from_bytes("metadata", header.encode()?.0)?;
    quantize::network(&gguf)
}

/// How far the weights of the result are from those of the scheme.
fn residual(matrices: usize, errors: &[Errors]) -> String {
    let exact = errors.iter().filter(|sums| sums.error == 0.0).count();
    let sum = |of: fn(&Errors) -> f64| errors.iter().map(of).sum::<f64>();
    let relative = (sum(|e| e.error) / sum(|e| e.energy).max(f64::MIN_POSITIVE)).sqrt();
    let worst = errors.iter().filter(|sums| sums.energy > 0.0);
    let worst = worst.map(|sums| (sums.error / sums.energy).sqrt()).fold(0.0, f64::max);
    format!(
        "{matrices} matrices were packed; {exact} of {} tensors are exact, residual error {:.4} % of the weights (root mean square), {:.4} % in the worst tensor",
        errors.len(),
        100.0 * relative,
        100.0 * worst
    )
}

/// The format most bytes of the checkpoint have; of packed matrices the one that holds their codes, or their floats.
fn usual(checkpoint: &Checkpoint) -> Mix {
    let packed = checkpoint.tensors().filter_map(|view| view.packed).next();
    if let Some(format) = packed.map(|packed| packed.nearest()) {
        return Mix::Plain(format);
    }
    let bytes = |dtype: Dtype| -> usize {
        checkpoint.tensors().filter(|t| t.dtype == dtype).map(|t| t.bytes.len()).sum()
    };
    let kinds = [(Dtype::F32, Format::F32), (Dtype::F16, Format::F16), (Dtype::BF16, Format::BF16)];
    let most = kinds.into_iter().max_by_key(|kind| bytes(kind.0));
    Mix::Plain(most.map_or(Format::F32, |kind| kind.1))
}

fn describe(header: &mut Header, folder: &Path, mix: Mix, merged: bool) {
    let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = name.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned());
    header.set("general.type", "model");
    header.set("general.name", name);
    if merged {
        header.set("general.description", "a LoRA adapter was merged when it was converted");
    }
    header.set("general.file_type", mix.file_type());
    header.set("general.quantization_version", 2_u32);
}
