//! The verification script on every device: the true ones pass, and with the feature `mutants` every mutant is caught.

use std::sync::Arc;

use yardstick_api::conformance::{Golden, golden};
use yardstick_api::verify::{Check, compare, expect, observe, reference_options};
use yardstick_api::{Backend, Device, DeviceStatus, KvType, Numerics, Options};
use yardstick_cpu::Cpu;
use yardstick_model::Model;
use yardstick_reference::Reference;

/// Verification of a device on a model, in a numerics class or the default.
fn verify(
    device: &Device,
    model: &Arc<Model>,
    kv: KvType,
    numerics: Option<Numerics>,
) -> Vec<Check> {
    let vocab = model.architecture().vocab;
    let options = Options {
        context: Some(yardstick_api::verify::CONTEXT),
        sequences: 2,
        kv,
        numerics,
        ..Options::default()
    };
    let mut session = Cpu.load(device, model, &options).expect("a golden model loads");
    let observed = observe(&mut *session, vocab).expect("the script runs");
    let reference = Reference.devices().remove(0);
    let DeviceStatus::Ready(reference) = reference else { panic!("the reference runs anywhere") };
    let mut oracle =
        Reference.load(&reference, model, &reference_options()).expect("the reference loads");
    let expected = expect(&mut *oracle, vocab, &observed.generated).expect("the reference answers");
    compare(&observed, &expected, session.facts().numerics)
}

/// Faults that change next to nothing in some golden models, so that no comparison within the class can see them.
const UNSEEN: &[(&str, &[&str], &str)] = &[
    ("cpu:mutant-rotary", &["gpt2", "gpt2-tied"], "nothing turns"),
    ("cpu:mutant-rotary", &["granite"], "scores near 0 weigh all positions alike"),
    (
        "cpu:mutant-position",
        &["granite", "stablelm-parallel"],
        "scores near 0, or a quarter of each head turns",
    ),
    (
        "cpu:mutant-stale-kv",
        &["granite", "stablelm-parallel"],
        "all positions weigh alike, so that one key more or less is lost among them",
    ),
];

fn unseen(device: &Device, case: &str) -> bool {
    UNSEEN.iter().any(|(mutant, cases, _)| *mutant == device.id && cases.contains(&case))
}

#[test]
fn verification_passes_the_devices_and_catches_every_mutant() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    let cases = match golden(root.as_ref()) {
        Golden::Absent => return println!("skipped: no golden answers at {root}"),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) => cases,
    };
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    println!("{names:?}");
    let mut wrong = Vec::new();
    for status in Cpu.devices() {
        let DeviceStatus::Ready(device) = &status else { continue };
        let mutant = device.id.starts_with("cpu:mutant");
        for case in &cases {
            let checks = verify(device, &case.model, KvType::F16, None);
            let failed: Vec<String> = checks
                .iter()
                .filter(|check| !check.passed())
                .map(|check| format!("{} {:?}", check.name, check.value))
                .collect();
            println!("{} {}: failed {failed:?}", device.id, case.name);
            if mutant == failed.is_empty() && !unseen(device, &case.name) {
                wrong.push(format!("{} {}: {failed:?}", device.id, case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[cfg_attr(feature = "mutants", ignore = "mutants fail, and are meant to")]
fn verification_passes_a_cache_in_8_bits() {
    let models = yardstick_api::conformance::synthetic::models().expect("made-up models open");
    let fits =
        |model: &Model| yardstick_api::unfit_heads(model.architecture(), KvType::Q8_0).is_none();
    let mut verified = 0;
    for status in Cpu.devices() {
        let DeviceStatus::Ready(device) = &status else { continue };
        for (name, model) in models.iter().filter(|(_, model)| fits(model)) {
            for check in verify(device, model, KvType::Q8_0, None) {
                assert!(check.passed(), "{} {name}: {check:?}", device.id);
            }
            verified += 1;
        }
    }
    assert!(verified > 5, "only {verified}");
}

#[test]
#[cfg_attr(feature = "mutants", ignore = "mutants fail, and are meant to")]
fn verification_passes_every_class_a_device_can_be_asked_for() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    let Golden::Cases(cases) = golden(root.as_ref()) else {
        return println!("skipped: no golden answers at {root}");
    };
    let mut wrong = Vec::new();
    for status in Cpu.devices() {
        let DeviceStatus::Ready(device) = &status else { continue };
        for &numerics in device.numerics.iter().filter(|&&class| class != Numerics::A8) {
            let mut worst: f64 = 0.0;
            for case in &cases {
                for check in verify(device, &case.model, KvType::F16, Some(numerics)) {
                    let share = check.value.value().map_or(f64::NAN, |value| value / check.limit);
                    worst = worst.max(share);
                    if !check.passed() {
                        wrong.push(format!("{} {numerics:?} {}: {check:?}", device.id, case.name));
                    }
                }
            }
            println!("{} {numerics:?}: at most {worst:.2} of the limit", device.id);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
