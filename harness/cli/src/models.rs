//! Models as the command line names them: a file, or `preset:quantisation` written into the cache.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Result, bail};
use yardstick_measure::plan::{Catalogue, ModelSource, resolve};
use yardstick_model::preset::{self, Check, PresetRef};

use crate::paths::Paths;

/// Threads to write models with.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One model by name, written first if it is a preset.
pub(crate) fn path(paths: &Paths, name: &str) -> Result<PathBuf> {
    let requests = resolve(&[name.to_owned()], &[], &Catalogue::built_in())?;
    let [request] = requests.as_slice() else {
        bail!("{name:?} names {} models; name one", requests.len());
    };
    match &request.source {
        ModelSource::File(path) => Ok(path.clone()),
        ModelSource::Preset { .. } => {
            let preset = PresetRef::parse(&request.name)?;
            let go_on = &mut |_: preset::Progress| ControlFlow::Continue(());
            Ok(preset::make(&preset, &paths.models(), cores(), Check::Size, go_on)?.path)
        }
    }
}
