//! `yardstick model convert`: a checkpoint's folder into one model file.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Result;
use yardstick_model::convert::{Converting, convert};

use super::quantize::mix;
use crate::console;
use crate::interrupt;
use crate::progress::Progress;
use crate::verbs::DONE;

/// Converts `folder` into `output`, whole or not at all.
pub(crate) fn run(
    folder: &Path,
    output: &Path,
    kind: Option<&str>,
    lora: Option<&Path>,
    threads: usize,
) -> Result<u8> {
    let named = kind.map(|name| mix(name).map(|found| found.1)).transpose()?;
    let cancel = interrupt::flag()?;
    let mut progress = Progress::new();
    progress.begin(format!("{} to {}", folder.display(), output.display()));
    let done = convert(folder, output, &Converting { mix: named, lora, threads }, &mut |done| {
        progress.bytes(done.bytes, done.total_bytes);
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    progress.clear();
    for note in &done.notes {
        console::tell(format!("note: {note}"));
    }
    let merged = match done.merged {
        0 => String::new(),
        n => format!(", {n} targets of the adapter merged"),
    };
    let (sha256, bytes, kind) = (&done.sha256, done.bytes, done.mix.name());
    let what = format!("{} {kind}{merged}", done.architecture);
    console::say(format!("{sha256} {} {bytes} bytes, {what}", output.display()))?;
    Ok(DONE)
}
