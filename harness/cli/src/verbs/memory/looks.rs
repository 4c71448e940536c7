//! What `memory` looks at, one after another, each with sessions of its own.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use yardstick_analyse::memory::{
    Account, FirstUseLine, FitCheck, FitLine, Held, MemoryGrowth, memory_growth,
};
use yardstick_api::{Backend, Device, Facts, Known, Options, host};
use yardstick_measure::profiling::{
    Faults, FirstUse, Fit, REQUEST_POSITIONS, Stop, deepest, fill, first_use, requests,
};
use yardstick_model::Model;
use yardstick_probes::{Own, own};

use super::SAFE;

/// What is looked at.
pub(super) struct Looked<'b> {
    pub(super) backend: &'b dyn Backend,
    /// The same without a folder for packed weights: they are copied.
    pub(super) copying: Option<&'b dyn Backend>,
    pub(super) device: &'b Device,
    pub(super) path: &'b Path,
    /// Where packed weights lie.
    pub(super) packed: PathBuf,
    pub(super) options: Options,
    /// The device has memory of its own.
    pub(super) on_board: bool,
    pub(super) cancel: &'b AtomicBool,
}

/// Sequences that are asked of.
const BATCHES: [usize; 5] = [1, 4, 16, 64, 256];

impl Looked<'_> {
    /// What is told and seen of a session that was used.
    pub(super) fn account(&self) -> Result<(Account, Arc<Model>)> {
        let model = Arc::new(Model::open(self.path)?);
        let options = Options {
            context: self.options.context.or(Some(REQUEST_POSITIONS)),
            ..self.options.clone()
        };
        let before = own();
        let mut session = self.backend.load(self.device, &model, &options)?;
        let vocab = model.architecture().vocab;
        requests(session.as_mut(), vocab, 1, &mut || 0.0)?;
        let after = own();
        let grown = |of: fn(&Own) -> &Known<f64>| less(of(&after), of(&before));
        let seen_bytes = match self.on_board {
            false => grown(|own| &own.proportional_bytes),
            true => Known::unavailable(
                "the board's memory is not this process's: yardstick run, then report --memory",
            ),
        };
        let account = Account {
            held: Held::of(&session.facts()),
            seen_bytes,
            anonymous_bytes: grown(|own| &own.anonymous_bytes),
            major_faults: grown(|own| &own.major_faults),
            minor_faults: grown(|own| &own.minor_faults),
        };
        drop(session);
        Ok((account, model))
    }

    /// Every way that leads to other weights in memory, with files in the cache and dropped.
    pub(super) fn first_uses(&self) -> Result<Vec<FirstUseLine>> {
        let as_in_file = Options { repack: false, ..self.options.clone() };
        let ways = [
            ("as in the file", Some(self.backend), &as_in_file),
            ("packed, kept", Some(self.backend), &self.options),
            ("packed, private", self.copying, &self.options),
        ];
        let mut lines: Vec<FirstUseLine> = Vec::new();
        let mut known: Vec<Facts> = Vec::new();
        for (way, backend, options) in ways {
            let Some(backend) = backend else { continue };
            for cold in [false, true] {
                if self.cancel.load(Ordering::SeqCst) {
                    return Ok(lines);
                }
                let files = if cold { self.files() } else { Vec::new() };
                let found = first_use(backend, self.device, self.path, options, &files, &faults)?;
                // Where the weights lie and run as they did before there is no other way.
                if !cold && known.contains(&found.facts) {
                    break;
                }
                known.push(found.facts.clone());
                lines.push(line(way, cold, found));
            }
        }
        Ok(lines)
    }

    /// The model's file and packed ones.
    fn files(&self) -> Vec<PathBuf> {
        let packed = std::fs::read_dir(&self.packed).into_iter().flatten().flatten();
        let packed = packed.map(|entry| entry.path()).filter(|path| path.is_file());
        packed.chain([self.path.to_owned()]).collect()
    }

    /// Memory held after each request.
    pub(super) fn growth(&self, model: &Arc<Model>, count: usize) -> Result<Known<MemoryGrowth>> {
        let options = Options { context: Some(REQUEST_POSITIONS), ..self.options.clone() };
        let mut session = self.backend.load(self.device, model, &options)?;
        let vocab = model.architecture().vocab;
        let mut held = || own().anonymous_bytes.value().copied().unwrap_or(f64::NAN);
        let bytes = requests(session.as_mut(), vocab, count, &mut held)?;
        Ok(memory_growth(&bytes))
    }

    /// The deepest context of each batch; the first and the last that fit are run.
    pub(super) fn fits(
        &self,
        model: &Arc<Model>,
        budget: &Known<u64>,
        seconds: u64,
    ) -> Result<Vec<FitLine>> {
        let most = budget.value().copied().unwrap_or(u64::MAX);
        let all: Vec<Fit> = BATCHES
            .iter()
            .map(|&sequences| {
                let options = Options { sequences, context: None, ..self.options.clone() };
                deepest(self.backend, self.device, model.info(), &options, most)
            })
            .collect();
        let last = all.iter().rposition(|fit| fit.depth > 0);
        let mut lines = Vec::new();
        for (i, fit) in all.into_iter().enumerate() {
            let chosen = fit.depth > 0 && (i == 0 || Some(i) == last) && seconds > 0;
            let checked = match chosen && !self.cancel.load(Ordering::SeqCst) {
                true => self.check(model, &fit, seconds)?,
                false => Known::unavailable("not run"),
            };
            lines.push(FitLine {
                batch: fit.batch,
                depth: fit.depth,
                bytes: fit.footprint.total(),
                kv_bytes: fit.footprint.kv_bytes,
                stop: match fit.stop {
                    Stop::Memory => "memory".to_owned(),
                    Stop::Refused(reason) => reason,
                    Stop::Limit => "deeper than anyone asks".to_owned(),
                },
                checked,
            });
        }
        Ok(lines)
    }

    /// Loads it and fills it; never beyond the safe share of what is free now.
    fn check(&self, model: &Arc<Model>, fit: &Fit, seconds: u64) -> Result<Known<FitCheck>> {
        let Some(free) = host::available_memory().value().copied() else {
            return Ok(Known::unavailable("how much memory is free is not known"));
        };
        if !self.on_board && fit.footprint.total() as f64 > SAFE * free as f64 {
            let why = format!("less memory is free now, {} MiB", free >> 20);
            return Ok(Known::unavailable(why));
        }
        let options =
            Options { sequences: fit.batch, context: Some(fit.depth), ..self.options.clone() };
        let before = own();
        let what = || format!("{} sequences of {} positions", fit.batch, fit.depth);
        let mut session = self.backend.load(self.device, model, &options).with_context(what)?;
        let mut go_on = |_| match self.cancel.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let time = Duration::from_secs(seconds);
        let (batch, depth) = (fit.batch, fit.depth);
        let chunk = options.chunk.min(64);
        let filled =
            fill(session.as_mut(), batch, depth, chunk, time, &mut go_on).with_context(what)?;
        let seen = less(&own().proportional_bytes, &before.proportional_bytes);
        Ok(Known::Value(FitCheck {
            positions: filled.positions,
            timed_out: filled.timed_out,
            seen_bytes: match self.on_board {
                true => Known::unavailable("it is the board's memory"),
                false => seen,
            },
        }))
    }
}

fn line(way: &'static str, cold: bool, found: FirstUse) -> FirstUseLine {
    let Facts { mapped_bytes, copied_bytes, .. } = found.facts;
    let known = |(major, _): Faults| match major.is_finite() {
        true => Known::Value(major),
        false => Known::unavailable("faults of this process cannot be read on this system"),
    };
    FirstUseLine {
        way,
        cold: cold && found.dropped,
        weights: [mapped_bytes, copied_bytes],
        load_ns: found.load_ns,
        first_ns: found.first_ns,
        steady_ns: found.steady_ns,
        major_faults: found.faults.map(known),
    }
}

fn faults() -> Faults {
    let own = own();
    let of = |known: Known<f64>| known.value().copied().unwrap_or(f64::NAN);
    (of(own.major_faults), of(own.minor_faults))
}

fn less(after: &Known<f64>, before: &Known<f64>) -> Known<f64> {
    match (after, before) {
        (Known::Value(after), Known::Value(before)) => Known::Value(after - before),
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            Known::unavailable(unavailable)
        }
    }
}
