//! Variants of a model: formats and prunings, written where they are not there yet.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use yardstick_measure::plan::{Catalogue, ModelRequest, ModelSource, resolve};
use yardstick_model::prune::{self, Layers, Plan, Pruning};
use yardstick_model::quantize::{Effort, Quantising};
use yardstick_model::{Gguf, Model};

use crate::models;
use crate::paths::Paths;
use crate::verbs::model::prune::{removed, told};
use crate::verbs::model::quantize;

/// A model that can be measured.
#[derive(Clone)]
pub(super) struct Variant {
    /// What `--model` takes.
    pub(super) argument: String,
    /// As records name it.
    pub(super) name: String,
}

impl From<ModelRequest> for Variant {
    fn from(request: ModelRequest) -> Variant {
        Variant { argument: request.argument(), name: request.name }
    }
}

/// Formats of files that others can be made of.
const FLOATS: [&str; 3] = ["F16", "BF16", "F32"];

/// Characters of a source's name that its variants' names begin with.
const MOST_NAME: usize = 80;

/// Every model named, in every format: presets by name, float files quantised into the cache, others as they are.
pub(super) fn variants(
    paths: &Paths,
    named: &[String],
    formats: &[String],
) -> Result<Vec<Variant>> {
    let mut all: Vec<Variant> = Vec::new();
    for request in resolve(named, formats, &Catalogue::built_in())? {
        let floats = match &request.source {
            ModelSource::Preset { .. } => None,
            _ => float(&models::path(paths, &request.argument())?)?,
        };
        match floats {
            Some(file) if named.len() == 1 && !formats.is_empty() => {
                for format in formats {
                    all.push(quantised(paths, &file, &request.name, format)?);
                }
            }
            _ => all.push(request.into()),
        }
    }
    if all.is_empty() {
        bail!("--model: nothing to try");
    }
    Ok(all)
}

/// The file, if its weights are floats.
fn float(file: &Path) -> Result<Option<PathBuf>> {
    let model = Model::open(file)?;
    let info = model.info();
    Ok(FLOATS.contains(&info.quantisation.as_str()).then(|| file.to_owned()))
}

/// A name in the cache that tells which bytes it was made of: the source's name, then its length and time of change.
fn place(paths: &Paths, source: &Path, name: &str, what: &str) -> Result<PathBuf> {
    let folder = paths.models().join("tuned");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let about = std::fs::metadata(source).with_context(|| source.display().to_string())?;
    let changed = about.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let mark = about.len() ^ changed.map_or(0, |time| time.as_nanos() as u64).rotate_left(17);
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '-' };
    let name: String = name.trim_end_matches(".gguf").chars().map(plain).take(MOST_NAME).collect();
    // Not a folder's name, and eight digits tell the bytes of one name apart.
    Ok(folder.join(format!(
        "{}-{what}-{:08x}.gguf",
        name.trim_start_matches('.'),
        mark as u32 ^ (mark >> 32) as u32
    )))
}

fn quantised(paths: &Paths, source: &Path, of: &str, format: &str) -> Result<Variant> {
    let (name, mix) = quantize::mix(format)?;
    let output = place(paths, source, of, name)?;
    if !output.is_file() {
        let how = Quantising {
            mix,
            threads: models::cores(),
            allow_requantize: false,
            effort: Effort::Best,
            importance: None,
        };
        let cancel = crate::interrupt::flag()?;
        quantize::one(&Gguf::open(source)?, &output, &how, &format!("to {name}"), &cancel)?;
    }
    file(&output)
}

/// A model without a share of its layers.
pub(super) fn pruned(paths: &Paths, of: &Variant, share: f64) -> Result<Variant> {
    let source = models::path(paths, &of.argument)?;
    let model = Model::open(&source)?;
    let layers = model.architecture().layers.len();
    let gone = (layers as f64 * share).round() as usize;
    if gone == 0 || gone >= layers {
        bail!("{share} of {layers} layers is {gone}: nothing to try");
    }
    let output = place(paths, &source, &of.name, &format!("without-{gone}-layers"))?;
    if !output.is_file() {
        let pruning = Pruning { layers: Layers::Count(layers - gone), heads: None, ffn: None };
        let plan = Plan::new(&model, &pruning, models::cores())?;
        let what = removed(&model, &plan);
        told(&format!("{} pruned", of.name), &mut |tell| {
            prune::prune(&model, &plan, &what, &output, tell)
        })?;
    }
    file(&output)
}

fn file(path: &Path) -> Result<Variant> {
    let name = path.to_str().with_context(|| format!("{}: not UTF-8", path.display()))?;
    let requests = resolve(&[name.to_owned()], &[], &Catalogue::built_in())?;
    let request = requests.into_iter().next().context("a file that was just written is gone")?;
    Ok(request.into())
}

/// What losses of quality are held against: as asked, else F16 of a preset, else the largest file named.
pub(super) fn reference(paths: &Paths, asked: Option<&str>, named: &[String]) -> Result<String> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    let float = vec!["F16".to_owned()];
    let mut largest: Option<(u64, String)> = None;
    for request in resolve(named, &float, &Catalogue::built_in())? {
        let bytes = match &request.source {
            ModelSource::Preset { name, .. } => return Ok(format!("{name}:F16")),
            _ => std::fs::metadata(models::path(paths, &request.argument())?)?.len(),
        };
        if largest.as_ref().is_none_or(|(most, _)| bytes > *most) {
            largest = Some((bytes, request.argument()));
        }
    }
    Ok(largest.context("--model: nothing to hold quality against")?.1)
}
