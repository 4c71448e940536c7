//! Sessions on whatever adapter there is: a lost device, kept tunings and pipelines.

use std::path::Path;
use std::sync::Arc;

use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, Error, Known, Numerics, Options, Rows, Sequence, Span,
};
use yardstick_model::Model;
use yardstick_reference::Reference;

use super::WgpuSession;
use crate::Wgpu;
use crate::gpu;
use crate::tune::Tunings;
use crate::wait::block;

/// The best adapter's device, or a word that there is none.
fn device() -> Option<Device> {
    let devices = Wgpu::default().devices();
    let ready = |status: &DeviceStatus| match status {
        DeviceStatus::Ready(device) if device.preferred => Some(device.clone()),
        _ => None,
    };
    let found = devices.iter().find_map(ready);
    if found.is_none() {
        println!("skipped: {devices:?}");
    }
    found
}

fn model() -> Arc<Model> {
    let mut models = yardstick_api::conformance::synthetic::models().expect("made-up models");
    models.swap_remove(1).1
}

fn open(device: &Device, folder: Option<&Path>, numerics: Option<Numerics>) -> WgpuSession {
    let options = Options { context: Some(64), numerics, ..Options::default() };
    block(WgpuSession::new(&device.id, &model(), &options, folder)).expect("it loads")
}

fn forward(session: &mut WgpuSession) -> Result<Vec<f32>, Error> {
    let spans = [Span { sequence: Sequence(0), tokens: &[1, 2, 3] }];
    block(session.forward(&Batch { spans: &spans, rows: Rows::Last }))?;
    Ok(block(session.logits())?.values.to_vec())
}

/// One test, because all share the process's one device, which this loses.
#[test]
fn a_lost_device_is_told_for_ever_and_the_next_session_opens_it_anew() {
    let Some(device) = device() else { return };
    let mut session = open(&device, None, None);
    let before = forward(&mut session).expect("it computes");
    session.gpu.device.destroy();
    for _ in 0..2 {
        let lost = forward(&mut session);
        assert!(matches!(lost, Err(Error::DeviceLost(_))), "{lost:?}");
        let mut emit = |_, _: &[u32]| std::ops::ControlFlow::Continue(());
        let lost = block(session.generate(&[(Sequence(0), 1)], 4, &mut emit));
        assert!(matches!(lost, Err(Error::DeviceLost(_))), "{lost:?}");
    }
    assert!(matches!(block(session.synchronize()), Err(Error::DeviceLost(_))));
    let after = forward(&mut open(&device, None, None)).expect("a new device");
    assert_eq!(before, after);
    what_is_kept_is_found_again(&device, &after);
    whole_models_conform_with_tiles_in_8_bits(&device);
}

fn what_is_kept_is_found_again(device: &Device, expected: &[f32]) {
    let folder = tempfile::tempdir().expect("a folder");
    for numerics in [Some(Numerics::F32), Some(Numerics::A8)] {
        // An open device keeps its folder, so each is opened anew.
        let fresh = || {
            open(device, None, None).gpu.fault.lose("closed by a test".into());
            open(device, Some(folder.path()), numerics)
        };
        let first = fresh();
        let second = fresh();
        assert_eq!(first.tunings, second.tunings, "measured once, then read");
        let note = |session: &WgpuSession| match session.facts().notes.get("tuning") {
            Some(Known::Value(text)) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(note(&first), note(&second));
        let mut second = second;
        let found = forward(&mut second).expect("it computes");
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 0.05 * b.abs().max(1.0);
        assert!(found.iter().zip(expected).all(close), "{numerics:?}");
    }
}

/// A software adapter's tuning takes f32 for tiles, so the other choice is written where it looks for what it measured.
fn whole_models_conform_with_tiles_in_8_bits(device: &Device) {
    let folder = tempfile::tempdir().expect("a folder");
    open(device, None, None).gpu.fault.lose("closed by a test".into());
    let gpu = block(gpu::open(&device.id, Some(folder.path()))).expect("it opens");
    Tunings::all_in_8_bits(&gpu).keep(&gpu);
    let options = Options { context: Some(64), ..Options::default() };
    let oracle = Reference.devices();
    let Some(DeviceStatus::Ready(oracle)) = oracle.first() else { panic!("{oracle:?}") };
    for name in ["bias-q8_0", "wide-q6_k"] {
        let mut models = yardstick_api::conformance::synthetic::models().expect("made-up models");
        let at = models.iter().position(|model| model.0 == name).expect("it is made up");
        let model = models.swap_remove(at).1;
        let tokens = yardstick_api::verify::prompt(model.architecture().vocab, 39);
        let spans = [Span { sequence: Sequence(0), tokens: &tokens }];
        let batch = Batch { spans: &spans, rows: Rows::All };
        let mut reference = Reference.load(oracle, &model, &options).expect("it loads");
        reference.forward(&batch).expect("it computes");
        let eight = Options { numerics: Some(Numerics::A8), ..options.clone() };
        let loaded = WgpuSession::new(&device.id, &model, &eight, Some(folder.path()));
        let mut session = block(loaded).expect("it loads");
        block(session.forward(&batch)).expect("it computes");
        let kernels = session.facts().kernels;
        assert!(kernels.values().any(|text| text.contains("tiles in 8 bits")), "{kernels:?}");
        let expected = reference.logits().expect("logits").values.to_vec();
        let found = block(session.logits()).expect("logits").values.to_vec();
        let square = |v: f32| f64::from(v) * f64::from(v);
        let off: f64 = found.iter().zip(&expected).map(|(a, b)| square(a - b)).sum();
        let nmse = off / expected.iter().map(|&b| square(b)).sum::<f64>();
        // Nothing else than 8 bits is as far off as that, and as near.
        assert!((1e-9..=Numerics::A8.nmse_limit()).contains(&nmse), "{name}: {nmse:e}");
    }
}
