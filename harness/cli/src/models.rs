//! Models as the command line names them: a file, or `preset:quantisation` written into the cache.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use yardstick_measure::plan::{Catalogue, ModelRequest, ModelSource, resolve};
use yardstick_measure::runner::Prepared;
use yardstick_model::Gguf;
use yardstick_model::preset::{self, Check, Made, PresetRef};
use yardstick_record::{FailureKind, Outcome};

use crate::paths::Paths;

/// The metadata key by which a written preset tells that its weights are random.
const PRESET_KEY: &str = "yardstick.preset";

/// The presets there are and the quantisations they are written in.
pub(crate) fn catalogue() -> Catalogue {
    Catalogue {
        presets: preset::names().map(str::to_owned).collect(),
        quantisations: preset::quantisations().map(|(name, _)| name.to_owned()).collect(),
    }
}

/// Threads to write models with.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One model by name, written first if it is a preset.
pub(crate) fn path(paths: &Paths, name: &str) -> Result<PathBuf> {
    let requests = resolve(&[name.to_owned()], &[], &catalogue())?;
    let [request] = requests.as_slice() else {
        bail!("{name:?} names {} models; name one", requests.len());
    };
    match &request.source {
        ModelSource::File(path) => Ok(path.clone()),
        ModelSource::Preset { .. } => {
            let preset = PresetRef::parse(&request.name)?;
            Ok(make(paths, &preset, Check::Size, &mut |_, _| ControlFlow::Continue(()))?.path)
        }
    }
}

/// Writes a preset, or finds it in the cache. `progress` hears bytes done and in all.
pub(crate) fn make(
    paths: &Paths,
    preset: &PresetRef,
    check: Check,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Made, preset::Error> {
    preset::make(preset, &paths.models(), cores(), check, &mut |p| progress(p.bytes, p.total_bytes))
}

/// Makes a run's model present: the file's hash is computed anew, so that a record never names bytes it did not run.
pub(crate) fn prepare(
    paths: &Paths,
    request: &ModelRequest,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Prepared, Outcome> {
    let (path, sha256) = match &request.source {
        ModelSource::File(path) => (path.clone(), None),
        ModelSource::Preset { .. } => {
            let made = PresetRef::parse(&request.name).and_then(|preset| {
                make(paths, &preset, Check::Hash, &mut |done, total| {
                    progress(done, total);
                    match cancel.load(Ordering::Relaxed) {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    }
                })
            });
            let made = made.map_err(|error| failed(&error))?;
            (made.path, Some(made.sha256))
        }
    };
    let mut prepared = Prepared::open(&request.name, &path, sha256)?;
    let gguf = Gguf::open(&path).map_err(|error| failed(&error))?;
    if let Some(preset) = gguf.display(PRESET_KEY) {
        prepared.reference.random_weights = Some(format!("random weights of preset {preset}"));
    }
    Ok(prepared)
}

fn failed(error: &dyn std::error::Error) -> Outcome {
    Outcome::Failed { kind: FailureKind::Backend, message: error.to_string() }
}
