//! Makes a model present: opens a file, finds or fetches a named one, or writes a preset into the cache.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use yardstick_model::preset::{self, Check, Made, PresetRef};
use yardstick_model::source::{self, Located, Name};
use yardstick_record::{FailureKind, Outcome};

use super::Prepared;
use crate::plan::{Catalogue, ModelRequest, ModelSource};

/// Finds a named model, or fetches it, checked against what its store promises; `Err` says what would make it present.
pub type Fetch<'a> = dyn Fn(&Name, &mut source::Tell<'_>) -> Result<Located, String> + 'a;

/// Opens, fetches or writes a model; `progress` is told bytes done and in all. The outcome of its cells if that fails.
/// The file's hash is computed anew either way, so that a record never names bytes it did not run.
pub fn prepare(
    request: &ModelRequest,
    cache: &Path,
    threads: usize,
    fetch: &Fetch<'_>,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Prepared, Outcome> {
    let failed = |message: String| {
        let interrupted = cancel.load(Ordering::Relaxed);
        let kind = if interrupted { FailureKind::Interrupted } else { FailureKind::Backend };
        Outcome::Failed { kind, message }
    };
    match &request.source {
        ModelSource::File(path) => Prepared::open(&request.name, path, None),
        ModelSource::Named(name) => {
            let located = fetch(name, &mut |done, total| {
                progress(done, total);
                go_on(cancel)
            });
            let located = located.map_err(failed)?;
            Prepared::open(&request.name, &located.path, located.sha256)
        }
        ModelSource::Preset { name, quantisation } => {
            let preset = format!("{name}:{quantisation}");
            let made = make(&preset, cache, threads, cancel, progress);
            let made = made.map_err(|error| failed(error.to_string()))?;
            Prepared::open(&request.name, &made.path, Some(made.sha256))
        }
    }
}

fn make(
    preset: &str,
    cache: &Path,
    threads: usize,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Made, preset::Error> {
    let preset = PresetRef::parse(preset)?;
    preset::make(&preset, cache, threads, Check::Hash, &mut |done| {
        progress(done.bytes, done.total_bytes);
        go_on(cancel)
    })
}

fn go_on(cancel: &AtomicBool) -> ControlFlow<()> {
    match cancel.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use yardstick_api::Known;
    use yardstick_model::Model;

    use super::*;

    #[test]
    fn a_damaged_preset_is_not_recorded_under_its_good_name() {
        let folder = tempfile::tempdir().unwrap();
        let source =
            ModelSource::Preset { name: "tiny".to_owned(), quantisation: "Q4_0".to_owned() };
        let request = ModelRequest { name: "tiny:Q4_0".to_owned(), source };
        let never = AtomicBool::new(false);
        let nobody = |_: &Name, _: &mut source::Tell<'_>| Err("a preset is not fetched".to_owned());
        let ready =
            || prepare(&request, folder.path(), 1, &nobody, &never, &mut |_, _| {}).unwrap();
        let first = ready();
        let mut bytes = fs::read(&first.path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&first.path, bytes).unwrap();
        let again = ready();
        let found = Model::open(&again.path).unwrap().sha256().unwrap();
        assert_eq!(again.reference.sha256, Known::Value(found));
        assert_eq!(again.reference, first.reference);
        assert!(again.reference.random_weights.is_some());
    }
}
