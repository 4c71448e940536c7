//! `yardstick model quantize`: one model file into another.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Result, anyhow};
use yardstick_model::Gguf;
use yardstick_model::quantize::{Mix, Quantising, quantize};

use crate::console;
use crate::interrupt;
use crate::progress::Progress;
use crate::verbs::DONE;

/// Quantises `input` into `output`, whole or not at all.
pub(crate) fn run(
    input: &Path,
    output: &Path,
    quantisation: &str,
    threads: usize,
    allow_requantize: bool,
) -> Result<u8> {
    let encodable = || Mix::all().filter(|(_, mix)| mix.base().layout().encode.is_some());
    let mix = encodable().find(|(name, _)| name.eq_ignore_ascii_case(quantisation));
    let (name, mix) = mix.ok_or_else(|| {
        let known: Vec<&str> = encodable().map(|(name, _)| name).collect();
        anyhow!("quantisation {quantisation:?} cannot be written; one of {}", known.join(", "))
    })?;
    let source = Gguf::open(input)?;
    let cancel = interrupt::flag()?;
    let mut progress = Progress::new();
    progress.begin(format!("{} to {name}", input.display()));
    let how = Quantising { mix, threads, allow_requantize };
    let done = quantize(&source, output, &how, &mut |done| {
        progress.bytes(done.bytes, done.total_bytes);
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    progress.clear();
    let share = done.bytes as f64 / done.source_bytes as f64 * 100.0;
    console::say(format!(
        "{} {} {} bytes, {share:.1} % of the source",
        done.sha256,
        output.display(),
        done.bytes
    ))?;
    Ok(DONE)
}
