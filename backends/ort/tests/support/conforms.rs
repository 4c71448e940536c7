//! The conformance suite on one device: the cases its graphs cover, and what must be refused by name.

use std::path::Path;

use yardstick_api::conformance::{self, Case, Golden, golden, synthetic};
use yardstick_api::{Backend, Options, Unsupported};
use yardstick_reference::Reference;

use super::{Only, backend, device};

fn only(id: &str) -> Option<Only> {
    let backend = backend();
    match device(&backend, id) {
        Ok(device) => Some(Only { backend, device }),
        Err(line) => {
            println!("{line}");
            None
        }
    }
}

/// The golden models.
pub(crate) fn golden_models(id: &str) {
    let Some(only) = only(id) else { return };
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"));
    match golden(root) {
        Golden::Absent => println!("skipped: no golden answers at {}", root.display()),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) => conforms(&only, cases),
    }
}

/// The made-up models, with the reference's answers.
pub(crate) fn made_up_models(id: &str) {
    let Some(only) = only(id) else { return };
    conforms(&only, synthetic::cases(&Reference).expect("made-up models run"));
}

fn conforms(only: &Only, cases: Vec<Case>) {
    let cases = covered(only, cases);
    assert!(!cases.is_empty());
    let report = conformance::run(only, &cases);
    println!("{report}");
    assert!(report.passed(), "{report}");
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
