//! `ort:cpu` against the conformance suite, on the models its graphs cover, and what must be refused by name.

mod support;

use std::path::Path;

use support::{Only, backend, device};
use yardstick_api::conformance::{self, Case, Golden, golden, synthetic};
use yardstick_api::{Backend, Options, Unsupported};
use yardstick_reference::Reference;

const ID: &str = "ort:cpu";

fn only() -> Option<Only> {
    let backend = backend();
    match device(&backend, ID) {
        Ok(device) => Some(Only { backend, device }),
        Err(line) => {
            println!("{line}");
            None
        }
    }
}

/// Cases that graphs cover; the others must be refused with a reason that names what is missing.
fn covered(only: &Only, cases: Vec<Case>) -> Vec<Case> {
    let options = Options::default();
    let (covered, lacking): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .partition(|case| only.plan(&only.device, case.model.info(), &options).is_ok());
    for case in lacking {
        let info = case.model.info();
        let Unsupported { reason, fix } =
            only.plan(&only.device, info, &options).expect_err("refused just now");
        let named = reason.starts_with(&format!("architecture {} needs ", info.architecture.name));
        assert!(named && fix.is_some(), "{}: {reason}", case.name);
        println!("{}: {reason}", case.name);
    }
    covered
}

fn conforms(only: &Only, cases: Vec<Case>) {
    let cases = covered(only, cases);
    assert!(!cases.is_empty());
    let report = conformance::run(only, &cases);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn conforms_on_the_golden_models_it_covers() {
    let Some(only) = only() else { return };
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"));
    match golden(root) {
        Golden::Absent => println!("skipped: no golden answers at {}", root.display()),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) => conforms(&only, cases),
    }
}

#[test]
fn conforms_on_made_up_models() {
    let Some(only) = only() else { return };
    conforms(&only, synthetic::cases(&Reference).expect("made-up models run"));
}
