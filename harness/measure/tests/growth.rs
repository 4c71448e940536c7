//! Growth a request: a double that leaks is caught, the cpu is not accused. A file of its own, since it reads the memory of its whole
//! process, in which no other test may allocate.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::sync::Arc;

use yardstick_api::{Backend, Device, DeviceStatus, Options};
use yardstick_measure::profiling::{REQUEST_POSITIONS, requests};
use yardstick_model::Model;
use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_null::Null;

fn model() -> (tempfile::TempDir, Arc<Model>) {
    let folder = tempfile::tempdir().unwrap();
    let preset = PresetRef::parse("tiny:Q4_0").unwrap();
    let go_on = &mut |_: preset::Progress| ControlFlow::Continue(());
    let made = preset::make(&preset, folder.path(), 1, Check::Size, go_on).unwrap();
    (folder, Arc::new(Model::open(&made.path).unwrap()))
}

fn ready(backend: &dyn Backend, wanted: impl Fn(&Device) -> bool) -> Device {
    let found = backend.devices().into_iter().find_map(|status| match status {
        DeviceStatus::Ready(device) if wanted(&device) => Some(device),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn requests_of_a_double_that_leaks_grow_and_those_of_the_cpu_do_not() {
    let (_folder, model) = model();
    let vocab = model.architecture().vocab;
    let options =
        Options { context: Some(REQUEST_POSITIONS), threads: Some(1), ..Options::default() };
    let mut grown = Vec::new();
    let leaking = Null::misbehaving();
    let leak = ready(&leaking, |device| device.id == "null:leak");
    let cpu = yardstick_cpu::Cpu;
    let devices: [(&dyn Backend, Device); 2] =
        [(&leaking, leak), (&cpu, ready(&cpu, |device| device.preferred))];
    for (backend, device) in devices {
        let mut session = backend.load(&device, &model, &options).unwrap();
        let mut held = || yardstick_probes::own().anonymous_bytes.value().copied().unwrap();
        let bytes = requests(session.as_mut(), vocab, 24, &mut held).unwrap();
        grown.push(*yardstick_analyse::memory::memory_growth(&bytes).value().unwrap());
    }
    // A prompt and 8 steps of 256 KiB each.
    let kept = 9.0 * 262_144.0;
    assert!(grown[0].grows && (grown[0].slope / kept - 1.0).abs() < 0.1, "{grown:?}");
    assert!(grown[1].interval.low < 0.01 * kept, "{grown:?}");
}
