//! Turns over the doubles and a real backend.

use std::ops::ControlFlow;
use std::sync::Arc;

use yardstick_api::{Backend, Device, DeviceStatus, Options};
use yardstick_model::Model;
use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_null::Null;

use super::{Asked, Filled, Moment, Stop, deepest, fill, first_use, open, take_turns};

fn model() -> (tempfile::TempDir, Arc<Model>) {
    let folder = tempfile::tempdir().unwrap();
    let preset = PresetRef::parse("tiny:Q4_0").unwrap();
    let go_on = &mut |_: preset::Progress| ControlFlow::Continue(());
    let made = preset::make(&preset, folder.path(), 1, Check::Size, go_on).unwrap();
    let model = Arc::new(Model::open(&made.path).unwrap());
    (folder, model)
}

fn device(backend: &dyn Backend, preferred: bool) -> Device {
    let found = backend.devices().into_iter().find_map(|status| match status {
        DeviceStatus::Ready(device) if device.preferred == preferred => Some(device),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn rounds_have_both_times_and_every_operation_of_every_pass() {
    let (_folder, model) = model();
    let backend = yardstick_cpu::Cpu;
    let device = device(&backend, true);
    let options = Options { threads: Some(1), ..Options::default() };
    let asked = |test: &str| Asked {
        backend: &backend,
        device: &device,
        model: &model,
        options: options.clone(),
        test: test.parse().unwrap(),
    };
    let mut members = [open(&asked("tg3@d5")).unwrap(), open(&asked("pp4")).unwrap()];
    let mut moments = Vec::new();
    let taken = take_turns(&mut members, 2, &mut |moment| {
        moments.push(moment);
        ControlFlow::Continue(())
    });
    let taken = taken.unwrap();
    assert_eq!(taken.len(), 2);
    let layers = model.architecture().layers.len() as u64;
    for (taken, passes) in taken.iter().zip([3_u64, 1]) {
        assert_eq!((taken.rounds.len(), taken.last.len() as u64), (2, passes));
        for round in &taken.rounds {
            assert!(round.headline_ns > 0.0 && round.wall_ns > 0.0);
            let qkv = round.operations.iter().filter(|one| one.name == "attn_qkv");
            assert_eq!(qkv.clone().count() as u64, layers);
            assert_eq!(qkv.map(|one| one.calls).sum::<u64>(), layers * passes);
            let inside: u64 = round.operations.iter().map(|one| one.nanoseconds).sum();
            assert!(inside as f64 <= round.wall_ns, "operations lie inside their passes");
        }
    }
    assert_eq!(moments.iter().filter(|moment| matches!(moment, Moment::Ends(_))).count(), 4);
    let none = take_turns(&mut members, 2, &mut |_| ControlFlow::Break(())).unwrap();
    assert!(none.iter().all(|taken| taken.rounds.is_empty()), "stopped before the first round");
}

#[test]
fn a_device_without_a_profile_says_so() {
    let (_folder, model) = model();
    let backend = Null::new();
    let device = device(&backend, true);
    let test = "tg2".parse().unwrap();
    let options = Options::default();
    let asked = Asked { backend: &backend, device: &device, model: &model, options, test };
    let mut members = [open(&asked).unwrap()];
    let error = take_turns(&mut members, 1, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("does not time its operations"), "{error}");
}

#[test]
fn the_deepest_that_fits_is_exact_and_says_why() {
    let (_folder, model) = model();
    let backend = yardstick_cpu::Cpu;
    let device = device(&backend, true);
    let plan = |depth, sequences| {
        let options = Options { context: Some(depth), sequences, ..Options::default() };
        backend.plan(&device, model.info(), &options).unwrap().total()
    };
    let longest = model.architecture().longest().unwrap_or(model.architecture().context);
    for sequences in [1, 4] {
        let options = Options { sequences, ..Options::default() };
        let budget = plan(50, sequences);
        let found = deepest(&backend, &device, model.info(), &options, budget);
        assert!(found.depth >= 50 && found.footprint.total() <= budget, "{found:?}");
        assert!(plan(found.depth + 1, sequences) > budget && found.stop == Stop::Memory);
        let none = deepest(&backend, &device, model.info(), &options, 1);
        assert_eq!((none.depth, none.stop), (0, Stop::Memory));
    }
    let found = deepest(&backend, &device, model.info(), &Options::default(), 1 << 33);
    match &found.stop {
        Stop::Refused(reason) => {
            assert!(found.depth == longest && reason.contains("positions"), "{found:?}");
        }
        other => assert!(found.depth > longest, "{other:?} {found:?}"),
    }
    let options = Options { context: Some(20), sequences: 2, ..Options::default() };
    let mut session = backend.load(&device, &model, &options).unwrap();
    let long = std::time::Duration::from_secs(60);
    let mut go_on = |_: usize| ControlFlow::Continue(());
    let filled = fill(session.as_mut(), 2, 20, 8, long, &mut go_on).unwrap();
    assert_eq!(filled, Filled { positions: 20, timed_out: false });
    assert_eq!(session.length(yardstick_api::Sequence(1)), 20);
    let over = fill(session.as_mut(), 2, 21, 8, long, &mut go_on);
    assert!(over.is_err(), "more than the session holds does not fit");
}

#[test]
fn first_use_tells_times_and_faults_of_each_part() {
    let (folder, model) = model();
    let path = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
    let path = path.into_iter().find(|path| path.extension().is_some_and(|e| e == "gguf")).unwrap();
    drop(model);
    let backend = yardstick_cpu::Cpu;
    let device = device(&backend, true);
    let faults = || {
        let own = yardstick_probes::own();
        let of = |known: yardstick_api::Known<f64>| known.value().copied().unwrap_or(f64::NAN);
        (of(own.major_faults), of(own.minor_faults))
    };
    let found = first_use(
        &backend,
        &device,
        &path,
        &Options::default(),
        std::slice::from_ref(&path),
        &faults,
    )
    .unwrap();
    assert!(found.load_ns > 0 && found.first_ns > 0 && found.steady_ns.len() == 24);
    assert!(found.faults.iter().all(|(major, minor)| *major >= 0.0 && *minor >= 0.0));
}
