//! Every adapter against the conformance suite; without one there is nothing to hold to it.

use yardstick_api::{Backend, DeviceStatus};
use yardstick_reference::Reference;
use yardstick_wgpu::Wgpu;

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
        support::run_covered(&Wgpu::default(), support::golden_cases(root.as_ref()));
    }
}

#[test]
fn conforms_on_made_up_models_of_every_family() {
    if present() {
        let cases = yardstick_api::conformance::synthetic::cases(&Reference);
        support::run_covered(&Wgpu::default(), cases.expect("made-up models run"));
    }
}

mod support {
    use std::path::Path;

    use yardstick_api::conformance::{self, Case, Golden, golden};
    use yardstick_api::{Backend, DeviceStatus, Options, Unsupported};

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
    pub(super) fn run_covered(backend: &dyn Backend, cases: Vec<Case>) {
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
        if covered.is_empty() {
            return;
        }
        let report = conformance::run(backend, &covered);
        println!("{report}");
        assert!(report.passed(), "{report}");
    }
}
