//! Every adapter against the conformance suite; without one there is nothing to hold to it.
//! Both classes of numerics run on one model a kind of shader; `YARDSTICK_ALL_CLASSES=1` (ci/nightly/wgpu.sh) runs them on all.

use yardstick_api::{Backend, DeviceStatus};
use yardstick_reference::Reference;
use yardstick_wgpu::Wgpu;

/// Cases that run in 8 bits too: codes with and without offsets, in blocks and super-blocks; biases and experts.
const GOLDEN_EIGHT_BITS: &[&str] = &["Q4_0", "Q5_1", "Q4_K_M", "qwen2"];
const MADE_UP_EIGHT_BITS: &[&str] = &["bias-q8_0", "wide-q6_k", "experts-q4_k"];

/// Whether there is an adapter, said where there is none.
fn present() -> bool {
    let devices = Wgpu::default().devices();
    let ready = devices.iter().any(|status| matches!(status, DeviceStatus::Ready(_)));
    if !ready {
        println!("skipped: {devices:?}");
    }
    ready
}

#[test]
fn conforms_on_the_golden_models() {
    if present() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
        support::run_covered(support::golden_cases(root.as_ref()), GOLDEN_EIGHT_BITS);
    }
}

#[test]
fn conforms_on_made_up_models_of_every_family() {
    if present() {
        let cases = yardstick_api::conformance::synthetic::cases(&Reference);
        support::run_covered(cases.expect("made-up models run"), MADE_UP_EIGHT_BITS);
    }
}

mod support {
    use std::path::Path;

    use std::sync::Arc;

    use yardstick_api::conformance::{self, Case, Golden, golden};
    use yardstick_api::{
        Backend, Device, DeviceStatus, Error, Footprint, Numerics, Options, Session, Unsupported,
    };
    use yardstick_model::{Model, ModelInfo};
    use yardstick_wgpu::Wgpu;

    /// The backend with f32 arithmetic alone: a second class doubles the time of every case.
    struct F32Only(Wgpu);

    impl Backend for F32Only {
        fn name(&self) -> &str {
            self.0.name()
        }

        fn devices(&self) -> Vec<DeviceStatus> {
            let narrow = |status| match status {
                DeviceStatus::Ready(device) => {
                    DeviceStatus::Ready(Device { numerics: vec![Numerics::F32], ..device })
                }
                missing => missing,
            };
            self.0.devices().into_iter().map(narrow).collect()
        }

        fn plan(
            &self,
            device: &Device,
            model: &ModelInfo,
            options: &Options,
        ) -> Result<Footprint, Unsupported> {
            self.0.plan(device, model, options)
        }

        fn load(
            &self,
            device: &Device,
            model: &Arc<Model>,
            options: &Options,
        ) -> Result<Box<dyn Session>, Error> {
            self.0.load(device, model, options)
        }
    }

    pub(super) fn golden_cases(root: &Path) -> Vec<Case> {
        match golden(root) {
            Golden::Absent => {
                println!("skipped: no golden answers at {}", root.display());
                Vec::new()
            }
            Golden::Broken(reason) => panic!("golden answers: {reason}"),
            Golden::Cases(cases) => cases,
        }
    }

    /// Runs what the backend plans; the rest it must refuse by the name of what is missing.
    pub(super) fn run_covered(cases: Vec<Case>, eight_bits: &[&str]) {
        let backend = Wgpu::default();
        let devices = backend.devices();
        let device = devices.iter().find_map(|status| match status {
            DeviceStatus::Ready(device) => Some(device),
            DeviceStatus::Missing { .. } => None,
        });
        let device = device.expect("an adapter, as asked before");
        let plan = |case: &Case| backend.plan(device, case.model.info(), &Options::default());
        let (covered, lacking): (Vec<Case>, Vec<Case>) =
            cases.into_iter().partition(|case| plan(case).is_ok());
        for case in &lacking {
            let Unsupported { reason, fix } = plan(case).expect_err("refused just now");
            println!("{}: {reason}", case.name);
            assert!(reason.contains("no shader") && fix.is_some(), "{}: {reason}", case.name);
        }
        let named = |case: &Case, name: &str| case.name.rsplit('/').next() == Some(name);
        for name in eight_bits {
            let there = covered.is_empty() || covered.iter().any(|case| named(case, name));
            assert!(there, "no case {name}");
        }
        let all = std::env::var_os("YARDSTICK_ALL_CLASSES").is_some();
        let both = |case: &Case| all || eight_bits.iter().any(|name| named(case, name));
        let (both, f32): (Vec<Case>, Vec<Case>) = covered.into_iter().partition(both);
        hold(&backend, &both);
        hold(&F32Only(backend), &f32);
    }

    fn hold(backend: &dyn Backend, cases: &[Case]) {
        if cases.is_empty() {
            return;
        }
        let report = conformance::run(backend, cases);
        println!("{report}");
        assert!(report.passed(), "{report}");
    }
}
