//! The verification script on devices that compute wrongly on purpose: with the feature `mutants` each is caught, and the
//! adapter itself passes. `YARDSTICK_MODELS=a.gguf:b.gguf` adds whole models to the golden ones.
#![cfg(feature = "mutants")]

use std::path::Path;
use std::sync::Arc;

use yardstick_api::conformance::{Golden, golden};
use yardstick_api::verify::{Check, compare, expect, observe, reference_options};
use yardstick_api::{Backend, Device, DeviceStatus, Options};
use yardstick_model::{Format, Model};
use yardstick_reference::Reference;
use yardstick_wgpu::Wgpu;

/// Verification of a device on a model; `None` where its backend refuses the model.
fn verify(device: &Device, model: &Arc<Model>) -> Option<Vec<Check>> {
    let vocab = model.architecture().vocab;
    let context = Some(yardstick_api::verify::CONTEXT);
    let options = Options { context, sequences: 2, ..Options::default() };
    let wgpu = Wgpu::default();
    wgpu.plan(device, model.info(), &options).ok()?;
    let mut session = wgpu.load(device, model, &options).expect("it was planned");
    let observed = observe(&mut *session, vocab).expect("the script runs");
    let DeviceStatus::Ready(reference) = Reference.devices().remove(0) else {
        panic!("the reference runs anywhere")
    };
    let mut oracle =
        Reference.load(&reference, model, &reference_options()).expect("the reference loads");
    let expected = expect(&mut *oracle, vocab, &observed.generated).expect("the reference answers");
    Some(compare(&observed, &expected, session.facts().numerics))
}

/// Faults that change nothing in some golden models, or so little that no comparison within the class can see them.
const UNSEEN: &[(&str, &[&str], &str)] = &[
    ("wgpu:mutant-rotary", &["gpt2", "gpt2-tied"], "nothing turns"),
    ("wgpu:mutant-rotary", &["granite"], "scores near 0 weigh all positions alike"),
    ("wgpu:mutant-position", &["gpt2", "gpt2-tied"], "nothing turns"),
    (
        "wgpu:mutant-position",
        &["granite", "stablelm-parallel"],
        "scores near 0, or a quarter of each head turns",
    ),
    (
        "wgpu:mutant-stale-kv",
        &["granite", "stablelm-parallel"],
        "all positions weigh alike, so that one key more or less is lost among them",
    ),
];

fn unseen(device: &Device, case: &str, model: &Model) -> bool {
    let scaleless = |format: &Format| matches!(format, Format::F32 | Format::F16 | Format::BF16);
    let no_scales = model.info().formats.iter().all(|(format, _)| scaleless(format));
    let named =
        |(mutant, cases, _): &(&str, &[&str], &str)| *mutant == device.id && cases.contains(&case);
    (device.id == "wgpu:mutant-subscale" && no_scales) || UNSEEN.iter().any(named)
}

/// Of the limit; what is not finite is beyond any.
fn ratio(check: &Check) -> f64 {
    check.value.value().map_or(f64::INFINITY, |value| value / check.limit)
}

/// Golden models, and those of the environment.
fn models() -> Vec<(String, Arc<Model>)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    let mut models: Vec<(String, Arc<Model>)> = match golden(root.as_ref()) {
        Golden::Absent => Vec::new(),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) => cases.into_iter().map(|case| (case.name, case.model)).collect(),
    };
    let files = std::env::var_os("YARDSTICK_MODELS").unwrap_or_default();
    for file in std::env::split_paths(&files).filter(|file| file != Path::new("")) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        models.push((name, Arc::new(Model::open(&file).expect("a model"))));
    }
    models
}

#[test]
fn verification_passes_the_adapter_and_catches_every_mutant() {
    let (models, mut wrong) = (models(), Vec::new());
    let (mut caught, mut mutants, mut unseen_by_design) = (0, 0, 0);
    for status in Wgpu::default().devices() {
        let DeviceStatus::Ready(device) = &status else { continue };
        let mutant = device.id.starts_with("wgpu:mutant");
        if !mutant && !device.preferred {
            continue;
        }
        for (name, model) in &models {
            let Some(checks) = verify(device, model) else { continue };
            let failed = checks.iter().filter(|check| !check.passed()).count();
            let worst = checks.iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
            let worst = worst.map_or_else(String::new, ToString::to_string);
            println!("{} {name}: {failed} of {} checks failed, {worst}", device.id, checks.len());
            if mutant && unseen(device, name, model) {
                unseen_by_design += 1;
                continue;
            }
            mutants += usize::from(mutant);
            caught += usize::from(mutant && failed > 0);
            if mutant == (failed == 0) {
                wrong.push(format!("{} {name}", device.id));
            }
        }
    }
    println!("{caught} of {mutants} mutants caught, {unseen_by_design} more change nothing");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
