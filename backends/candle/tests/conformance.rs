//! Candle against the conformance suite, on the models it covers, and what it must refuse by name.

use std::path::Path;
use std::process::Command;

use yardstick_api::conformance::{self, Case, Golden, golden, synthetic};
use yardstick_api::{Backend, Device, DeviceStatus, Error, Numerics, Options, Unsupported};
use yardstick_candle::Candle;
use yardstick_model::Format;
use yardstick_reference::Reference;

fn device() -> Device {
    match Candle.devices().remove(0) {
        DeviceStatus::Ready(device) => device,
        DeviceStatus::Missing { reason, .. } => panic!("{reason}"),
    }
}

/// Architectures of the golden models that must run; others may be refused, in words.
const ARCHITECTURES: &[&str] =
    &["llama", "llama-untied", "llama-moe", "llama3-rope", "mqa", "qwen2"];

/// Cases that candle covers; the others must be refused with a reason that names what is missing.
fn covered(cases: Vec<Case>) -> Vec<Case> {
    let options = Options::default();
    let (covered, lacking): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .partition(|case| Candle.plan(&device(), case.model.info(), &options).is_ok());
    for case in lacking {
        let info = case.model.info();
        let Unsupported { reason, fix } =
            Candle.plan(&device(), info, &options).expect_err("refused just now");
        let format = info.formats.iter().any(|(format, _)| *format == Format::IQ4_NL)
            && reason.contains("has no IQ4_NL");
        let family = !ARCHITECTURES.contains(&case.name.as_str())
            && reason.starts_with(&format!("architecture {} needs ", info.architecture.name));
        assert!((format || family) && fix.is_some(), "{}: {reason}", case.name);
        println!("{}: {reason}", case.name);
    }
    covered
}

fn conforms(cases: Vec<Case>) {
    let cases = covered(cases);
    assert!(!cases.is_empty());
    let report = conformance::run(&Candle, &cases);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

/// Candle's pool spins while it waits, which on a busy machine makes two threads many times slower than one.
#[test]
fn conforms_on_the_golden_models_it_covers() {
    in_a_process_with(1, "golden_models");
}

/// Run by the test above in a process of its own.
#[test]
#[ignore = "run by another test with RAYON_NUM_THREADS=1"]
fn golden_models() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"));
    match golden(root) {
        Golden::Absent => println!("skipped: no golden answers at {}", root.display()),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) => conforms(cases),
    }
}

#[test]
fn conforms_on_made_up_models() {
    in_a_process_with(1, "made_up_models");
}

/// Run by the test above in a process of its own.
#[test]
#[ignore = "run by another test with RAYON_NUM_THREADS=1"]
fn made_up_models() {
    conforms(synthetic::cases(&Reference).expect("made-up models run"));
}

#[test]
fn a_number_of_threads_other_than_the_pools_is_refused_with_the_variable_that_sets_it() {
    let (_, model) = synthetic::models().expect("made-up models open").swap_remove(0);
    let session = Candle.load(&device(), &model, &Options::default()).expect("loads");
    let here = *session.facts().threads.value().expect("threads are known");
    let asked = |threads| Options { threads: Some(threads), ..Options::default() };
    Candle.load(&device(), &model, &asked(here)).expect("the number it has");
    match Candle.load(&device(), &model, &asked(here + 1)) {
        Err(Error::Unsupported(refusal)) => {
            let fix = refusal.fix.as_deref().unwrap_or_default();
            assert!(fix.contains(&format!("RAYON_NUM_THREADS={}", here + 1)), "{refusal}: {fix}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("loaded with {} threads where there are {here}", here + 1),
    }
}

/// Run by the next test in a process of its own.
#[test]
#[ignore = "run by another test with RAYON_NUM_THREADS=3"]
fn three_threads() {
    let (_, model) = synthetic::models().expect("made-up models open").swap_remove(0);
    let options = Options { threads: Some(3), ..Options::default() };
    let session = Candle.load(&device(), &model, &options).expect("loads");
    assert_eq!(session.facts().threads.value(), Some(&3));
    conforms(
        synthetic::cases(&Reference).expect("made-up models run").into_iter().take(1).collect(),
    );
}

#[test]
fn a_process_started_with_three_threads_has_three() {
    in_a_process_with(3, "three_threads");
}

/// Runs an ignored test of this file in a process whose pools have so many threads.
fn in_a_process_with(threads: usize, test: &str) {
    let program = std::env::current_exe().expect("a test has a file");
    let mut child = Command::new(program);
    child.args([test, "--exact", "--ignored", "--nocapture"]);
    let output = child.env("RAYON_NUM_THREADS", threads.to_string()).output().expect("starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{error}");
    println!("{text}");
}

#[test]
fn plans_bound_what_sessions_hold_and_numerics_are_those_of_the_weights() {
    for (name, model) in synthetic::models().expect("made-up models open") {
        let options = Options { context: Some(64), sequences: 2, ..Options::default() };
        let Ok(plan) = Candle.plan(&device(), model.info(), &options) else { continue };
        let facts = Candle.load(&device(), &model, &options).expect("loads").facts();
        assert_eq!((facts.mapped_bytes, facts.kv_bytes), (plan.mapped_bytes, plan.kv_bytes));
        assert!(facts.copied_bytes <= plan.copied_bytes, "{name}: {facts:?} {plan:?}");
        assert!(facts.copied_bytes >= facts.streamed_bytes, "{name}: {facts:?}");
        let dense = |(format, _): &(Format, u64)| format.block_len() == 1;
        let expected = match model.info().formats.iter().all(dense) {
            true => Numerics::F16, // f32 products, an f16 cache
            false => Numerics::A8,
        };
        assert_eq!(facts.numerics, expected, "{name}");
    }
}
