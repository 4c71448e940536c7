//! Models as the command line names them: a file, a store's name, or `preset:quantisation` written into the cache.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Result, bail};
use yardstick_measure::plan::{Catalogue, ModelSource, resolve};
use yardstick_model::preset::{self, Check, PresetRef};

use crate::paths::Paths;
use crate::progress::Progress;

/// Threads to write models with.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One model by name, fetched or written first if it must be.
pub(crate) fn path(paths: &Paths, name: &str) -> Result<PathBuf> {
    let requests = resolve(&[name.to_owned()], &[], &Catalogue::built_in())?;
    let [request] = requests.as_slice() else {
        bail!("{name:?} names {} models; name one", requests.len());
    };
    match &request.source {
        ModelSource::File(path) => Ok(path.clone()),
        ModelSource::Named(name) => {
            let mut progress = Progress::new();
            progress.begin(name.to_string());
            let located = paths.sources().locate(name, &mut |done, total| {
                progress.bytes(done, total);
                ControlFlow::Continue(())
            });
            progress.clear();
            Ok(located?.path)
        }
        ModelSource::Preset { .. } => {
            let preset = PresetRef::parse(&request.name)?;
            let go_on = &mut |_: preset::Progress| ControlFlow::Continue(());
            Ok(preset::make(&preset, &paths.models(), cores(), Check::Size, go_on)?.path)
        }
    }
}
