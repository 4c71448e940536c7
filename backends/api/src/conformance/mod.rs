//! The conformance suite: what every backend must do, on models whose answers are known. A backend's test is
//!
//! ```ignore
//! #[test]
//! fn conforms_on_the_golden_models() {
//!     let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
//!     yardstick_api::conformance::run_golden(&MyBackend::new(), golden.as_ref());
//! }
//! ```
//!
//! [`run_synthetic`] does the same on small made-up models with the reference's answers, and [`run`] takes any cases.

mod answers;
mod bench;
mod generation;
mod golden;
mod loading;
mod refusals;
mod state;
pub mod synthetic;

use std::path::Path;
use std::sync::Arc;

use yardstick_model::Model;

use crate::{Backend, Device, DeviceStatus, KvType, Options, Token};
use bench::Bench;

pub use golden::{Golden, golden};

/// A model, tokens, and the logits they must give.
pub struct Case {
    /// What failures call it.
    pub name: String,
    /// The model.
    pub model: Arc<Model>,
    /// At least 16 tokens.
    pub tokens: Vec<Token>,
    /// (tokens, vocab): logits of every position.
    pub expected: Vec<f32>,
    /// The context a session must be loaded with to give these answers; `None`: any that has room.
    pub context: Option<usize>,
    /// Largest absolute error of a logit in f32 arithmetic with an f32 KV cache; `None` judges by NMSE alone.
    pub tolerance: Option<f32>,
}

/// What the suite found.
#[derive(Debug, Default)]
pub struct Report {
    /// Checks that ran.
    pub checks: usize,
    /// `device, case, options: check: what is wrong`, one a failed check.
    pub failures: Vec<String>,
    /// Options a device refused to plan, with its reason.
    pub refused: Vec<String>,
}

impl Report {
    /// Nothing failed, and something ran.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.checks > 0
    }

    fn note(&mut self, what: impl FnOnce() -> String, outcome: Result<(), String>) {
        self.checks += 1;
        if let Err(message) = outcome {
            self.failures.push(format!("{}: {message}", what()));
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} checks, {} failed", self.checks, self.failures.len())?;
        self.failures.iter().try_for_each(|line| writeln!(f, "failed: {line}"))?;
        self.refused.iter().try_for_each(|line| writeln!(f, "refused: {line}"))
    }
}

/// A check of a loaded session: `Err` says what is wrong.
type Check = fn(&mut Bench<'_>) -> Result<(), String>;

/// Checks of the answers, run for every variant of the options.
const ANSWERS: &[(&str, Check)] = &[
    ("facts say what runs", loading::facts),
    ("prefill of all rows", answers::prefill),
    ("token by token", answers::step),
];

/// Checks of the contract, run once per chunk size.
const CONTRACT: &[(&str, Check)] = &[
    ("uneven spans", answers::uneven_spans),
    ("logits only of the rows asked for", answers::rows),
    ("a batch equals its sequences alone", state::batch),
    ("many tokens in a batch of several sequences", state::batched_prefill),
    ("a copy diverges from its origin", state::copy),
    ("a truncated sequence forgets", state::truncate),
    ("an emptied sequence is like new", state::empty),
    ("generate chooses the best", generation::best),
    ("generate keeps sequences apart", generation::sequences),
    ("generate stops when told", generation::stop),
    ("calls that must be refused", refusals::forward),
    ("truncate and copy out of range", refusals::sequences),
    ("generate beyond the context", refusals::generate),
];

/// Runs the whole suite on every usable device of a backend.
pub fn run(backend: &dyn Backend, cases: &[Case]) -> Report {
    let mut report = Report::default();
    for status in backend.devices() {
        let outcome = loading::device(backend, &status);
        report.note(|| format!("{}: the device's own words", status.id()), outcome);
        if let DeviceStatus::Ready(device) = &status {
            run_device(backend, device, cases, &mut report);
        }
    }
    report.note(|| backend.name().into(), loading::preferred(backend));
    report
}

/// Runs the suite on the golden models, or prints that it was skipped where there are none.
///
/// # Panics
/// With the report when a check fails, since it stands for a test.
pub fn run_golden(backend: &dyn Backend, root: &Path) {
    match golden(root) {
        Golden::Absent => println!("skipped: no golden answers at {}", root.display()),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) => {
            let report = run(backend, &cases);
            assert!(report.passed(), "{report}");
        }
    }
}

/// Runs the suite on the made-up models with the answers of `oracle`, the reference.
///
/// # Panics
/// With the report when a check fails, since it stands for a test.
pub fn run_synthetic(backend: &dyn Backend, oracle: &dyn Backend) {
    match synthetic::cases(oracle) {
        Err(error) => panic!("made-up models: {error}"),
        Ok(cases) => {
            let report = run(backend, &cases);
            assert!(report.passed(), "{report}");
        }
    }
}

fn run_device(backend: &dyn Backend, device: &Device, cases: &[Case], report: &mut Report) {
    for case in cases {
        let mut ran = 0;
        for (options, thorough) in variants(device, case) {
            let what = || {
                let Options { kv, chunk, repack, numerics, .. } = &options;
                let numerics = numerics.map_or_else(String::new, |n| format!("{n:?} "));
                format!(
                    "{}, {}, {numerics}kv {} chunk {chunk} repack {repack}",
                    device.id,
                    case.name,
                    kv.name()
                )
            };
            if let Err(refusal) = backend.plan(device, case.model.info(), &options) {
                report.refused.push(format!("{}: {refusal}", what()));
                continue;
            }
            ran += 1;
            match Bench::open(backend, device, case, &options) {
                Ok(mut bench) => run_checks(&mut bench, thorough, &what, report),
                Err(message) => report.note(what, Err(message)),
            }
        }
        let none = Err("refuses every variant of the options".to_owned());
        report
            .note(|| format!("{}, {}", device.id, case.name), if ran == 0 { none } else { Ok(()) });
    }
    if let Some(case) = cases.first() {
        for (name, check) in loading::CHECKS {
            let outcome = check(backend, device, case);
            report.note(|| format!("{}, {}: {name}", device.id, case.name), outcome);
        }
    }
}

fn run_checks(
    bench: &mut Bench<'_>,
    thorough: bool,
    what: &dyn Fn() -> String,
    report: &mut Report,
) {
    let contract = if thorough { CONTRACT } else { &[] };
    for (name, check) in ANSWERS.iter().chain(contract) {
        let outcome = bench.empty().and_then(|()| check(bench));
        report.note(|| format!("{}: {name}", what()), outcome);
    }
}

/// Options to try: every numerics class with every KV type and with and without repacking; the first two, which
/// differ in chunk size, thoroughly, and KV blocks too.
fn variants(device: &Device, case: &Case) -> Vec<(Options, bool)> {
    let base = Options {
        context: Some(case.context.unwrap_or(case.tokens.len() + bench::SPARE)),
        sequences: bench::SEQUENCES,
        kv: KvType::F32,
        ..Options::default()
    };
    let blocks = Options { kv: KvType::Q8_0, ..base.clone() };
    let mut all =
        vec![(base.clone(), true), (Options { chunk: 5, ..base.clone() }, true), (blocks, true)];
    for &numerics in &device.numerics {
        let kinds =
            [(KvType::F32, false), (KvType::F16, true), (KvType::F16, false), (KvType::Q8_0, true)];
        for (kv, repack) in kinds {
            let numerics = Some(numerics);
            all.push((Options { numerics, kv, repack, ..base.clone() }, false));
        }
    }
    all
}
