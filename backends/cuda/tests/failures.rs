//! What goes wrong on machines with and without GPUs: a clear skip or error each, never a panic.

mod emulator;

use std::ops::ControlFlow;

use emulator::Emulated;
use yardstick_api::conformance::synthetic;
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, Error, Known, Limit, Options, Rows, Sequence, Session,
    Span,
};
use yardstick_cuda::Cuda;
use yardstick_cuda::machine::{Driver, Gpu, Machine, Missing};

/// A machine that says why it has no GPUs.
struct Without(Missing);

impl Machine for Without {
    fn gpus(&self) -> Result<Vec<Gpu>, Missing> {
        Err(self.0.clone())
    }

    fn open(&self, _: usize) -> Result<Box<dyn Driver>, Error> {
        Err(Error::Device(self.0.reason.clone()))
    }
}

fn device(cuda: &Cuda) -> Device {
    match cuda.devices().remove(0) {
        DeviceStatus::Ready(device) => device,
        DeviceStatus::Missing { reason, .. } => panic!("{reason}"),
    }
}

fn plain() -> std::sync::Arc<yardstick_model::Model> {
    synthetic::models().expect("made-up models open").swap_remove(0).1
}

fn small() -> Options {
    Options { context: Some(32), chunk: 8, ..Options::default() }
}

fn forward(session: &mut dyn Session, tokens: &[u32]) -> Result<(), Error> {
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::Last })
}

#[test]
fn this_machine_is_told_of_in_lines_whatever_it_has() {
    for status in Cuda::new(None).devices() {
        assert!(status.id().starts_with("cuda:"));
        if let DeviceStatus::Missing { reason, fix, .. } = status {
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
            assert!(fix.is_none_or(|fix| !fix.contains('\n')));
        }
    }
}

#[test]
fn a_machine_without_gpus_lists_one_that_is_missing_and_refuses_plans_and_ceilings() {
    let cuda = Cuda::on(Without(Missing::new("no GPU here", "buy one")));
    let [DeviceStatus::Missing { id, reason, fix }] = &cuda.devices()[..] else {
        panic!("one device, missing")
    };
    assert_eq!(
        (id.as_str(), reason.as_str(), fix.as_deref()),
        ("cuda:0", "no GPU here", Some("buy one"))
    );
    let device = device(&Cuda::on(Emulated::new()));
    let refusal = cuda.plan(&device, plain().info(), &small()).expect_err("nothing to run on");
    assert_eq!((refusal.reason.as_str(), refusal.fix.as_deref()), ("no GPU here", Some("buy one")));
    assert_eq!(cuda.ceiling(&device, Limit::Int8, None).reason(), Some("no GPU here"));
}

#[test]
fn a_gpu_that_cannot_be_used_is_listed_with_the_reason_and_is_not_preferred() {
    let mut machine = Emulated::new();
    machine.gpu.unfit = Some(Missing { reason: "compute capability 6.1".into(), fix: None });
    let cuda = Cuda::on(machine);
    let [DeviceStatus::Missing { reason, .. }] = &cuda.devices()[..] else {
        panic!("one device, missing")
    };
    assert_eq!(reason, "emulated GPU: compute capability 6.1");
}

#[test]
fn models_and_caches_that_do_not_fit_are_refused_with_numbers_before_anything_is_allocated() {
    let mut machine = Emulated::new();
    machine.gpu.memory_bytes = Known::Value(1 << 20);
    // Anything allocated would fail otherwise.
    machine.memory = 0;
    let cuda = Cuda::on(machine);
    let (device, model) = (device(&cuda), plain());
    for options in [
        Options { context: Some(1 << 20), ..small() },
        Options { sequences: 1 << 20, ..small() },
        Options { chunk: 1 << 20, context: Some(1 << 19), ..small() },
    ] {
        let Err(Error::Unsupported(refusal)) = cuda.load(&device, &model, &options) else {
            panic!("{options:?} was not refused")
        };
        assert!(refusal.reason.contains("MiB are available"), "{refusal}");
    }
}

#[test]
fn memory_that_others_took_since_is_seen_before_it_is_allocated() {
    let cuda = Cuda::on(Emulated { memory: 1000, ..Emulated::new() });
    let Err(Error::Unsupported(refusal)) = cuda.load(&device(&cuda), &plain(), &small()) else {
        panic!("1000 bytes were enough")
    };
    assert!(refusal.reason.contains("0 MiB are available"), "{refusal}");
}

#[test]
fn a_gpu_lost_on_the_way_is_an_error_and_sequences_keep_their_lengths() {
    if !emulator::possible() {
        return;
    }
    let lost: fn() -> Error = || Error::DeviceLost("computing: ECC".into());
    let machine = Emulated { fault: Some((20, lost)), ..Emulated::new() };
    let cuda = Cuda::on(machine);
    let mut session = cuda.load(&device(&cuda), &plain(), &small()).expect("nothing ran yet");
    let mut emit = |_: usize, _: &[u32]| ControlFlow::Continue(());
    forward(&mut *session, &[1]).expect("twelve launches");
    for _ in 0..2 {
        let error = session.generate(&[(Sequence(0), 1)], 4, &mut emit).expect_err("lost by now");
        assert!(matches!(error, Error::DeviceLost(_)), "{error}");
        let error = forward(&mut *session, &[1, 2, 3]).expect_err("and still");
        assert!(matches!(error, Error::DeviceLost(_)), "{error}");
        assert_eq!(session.length(Sequence(0)), 1);
    }
}

#[test]
fn every_ceiling_is_measured_or_says_why_not() {
    if !emulator::possible() {
        return;
    }
    let cuda = Cuda::on(Emulated::new());
    let device = device(&cuda);
    for (limit, measured) in [
        (Limit::Read { bytes: 10_000 }, true),
        (Limit::Read { bytes: 1 << 62 }, false),
        (Limit::Int8, true),
        (Limit::F32, true),
        (Limit::Bf16Matrix, true),
        (Limit::Int8Matrix, true),
        (Limit::Barrier, true),
        (Limit::Wake, false),
        (Limit::F16, false),
    ] {
        let found = cuda.ceiling(&device, limit, None);
        assert_eq!(found.value().is_some(), measured, "{limit}: {found:?}");
    }
    let mut old = Emulated::new();
    old.gpu.capability = (7, 5);
    let found = Cuda::on(old).ceiling(&device, Limit::Bf16Matrix, None);
    assert!(found.reason().is_some_and(|why| why.contains("no tensor cores")), "{found:?}");
}
