//! Makes a model present: opens a file, or writes a preset into the cache.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_record::{FailureKind, Outcome};

use super::Prepared;
use crate::plan::{Catalogue, ModelRequest, ModelSource};

/// Opens or writes a model; `progress` is told bytes done and in all. The outcome of its cells if that fails.
pub fn prepare(
    request: &ModelRequest,
    cache: &Path,
    threads: usize,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Prepared, Outcome> {
    let path = match &request.source {
        ModelSource::File(path) => path,
        ModelSource::Preset { name, quantisation } => {
            return make(
                request,
                &format!("{name}:{quantisation}"),
                cache,
                threads,
                cancel,
                progress,
            );
        }
    };
    Prepared::open(&request.name, path, None)
}

fn make(
    request: &ModelRequest,
    preset: &str,
    cache: &Path,
    threads: usize,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Prepared, Outcome> {
    let failed = |error: preset::Error| {
        let interrupted = cancel.load(Ordering::Relaxed);
        let kind = if interrupted { FailureKind::Interrupted } else { FailureKind::Backend };
        Outcome::Failed { kind, message: error.to_string() }
    };
    let reference = PresetRef::parse(preset).map_err(failed)?;
    let made = preset::make(&reference, cache, threads, Check::Size, &mut |done| {
        progress(done.bytes, done.total_bytes);
        if cancel.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let made = made.map_err(failed)?;
    let mut prepared = Prepared::open(&request.name, &made.path, Some(made.sha256))?;
    prepared.reference.random_weights = Some("random weights".to_owned());
    Ok(prepared)
}

impl Catalogue {
    /// The presets compiled in.
    pub fn built_in() -> Catalogue {
        Catalogue {
            presets: preset::names().map(str::to_owned).collect(),
            quantisations: preset::quantisations().map(|(name, _)| name.to_owned()).collect(),
        }
    }
}
