//! `yardstick model make`: presets of real size, written from their seed and checked against the manifest.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use anyhow::{Result, anyhow};
use yardstick_measure::plan::{Catalogue, resolve};
use yardstick_model::preset::{self, Check, InManifest, PresetRef};

use crate::console;
use crate::interrupt;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::verbs::DONE;

/// Writes presets into the cache and prints path and hash of each.
pub(crate) fn write(paths: &Paths, names: &[String], threads: usize, check: bool) -> Result<u8> {
    let check = if check { Check::Hash } else { Check::Size };
    let folder = paths.models();
    each(names, |preset, tell| {
        let made = preset::make(preset, &folder, threads, check, tell)?;
        let manifest = match (made.manifest, made.written, check) {
            // Its hash was read beside it, not computed: nothing is claimed of its bytes.
            (_, false, Check::Size) => "only its size was checked; --check hashes it".to_owned(),
            (InManifest::Verified, ..) => "as in the manifest".to_owned(),
            (InManifest::Absent { reason }, ..) => format!("not in the manifest: {reason}"),
        };
        let state = match (made.written, &made.replaced) {
            (true, Some(reason)) => format!("written anew: {reason}"),
            (true, None) => "written".to_owned(),
            (false, _) => "was there".to_owned(),
        };
        Ok(format!("{preset} {} {} ({state}, {manifest})", made.sha256, made.path.display()))
    })
}

/// Computes hashes without writing: lines of the manifest.
pub(crate) fn hash(names: &[String], threads: usize) -> Result<u8> {
    each(names, |preset, tell| {
        let (sha256, bytes) = preset::hash(preset, threads, tell)?;
        Ok(format!("{preset} {sha256} {bytes} bytes"))
    })
}

fn each(
    names: &[String],
    mut act: impl FnMut(&PresetRef, &mut preset::Tell<'_>) -> Result<String>,
) -> Result<u8> {
    let cancel = interrupt::flag()?;
    let mut progress = Progress::new();
    for request in resolve(names, &[], &Catalogue::built_in())? {
        let preset = PresetRef::parse(&request.name)
            .map_err(|error| anyhow!("only presets can be made: {error}"))?;
        progress.begin(format!("{preset}"));
        let line = act(&preset, &mut |done| {
            progress.bytes(done.bytes, done.total_bytes);
            match cancel.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        progress.clear();
        console::say(line)?;
    }
    Ok(DONE)
}
