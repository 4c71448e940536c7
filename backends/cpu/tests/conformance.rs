//! Every usable instruction set against the conformance suite on the golden models.
//!
//! `qemu-x86_64-static -cpu Nehalem` (or `Haswell`) runs this binary on processors that lack features.

use yardstick_cpu::Cpu;
use yardstick_reference::Reference;

#[test]
#[cfg_attr(feature = "mutants", ignore = "mutants do not conform, and are not meant to")]
fn conforms_on_the_golden_models() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    yardstick_api::conformance::run_golden(&Cpu, golden.as_ref());
}

#[test]
#[cfg_attr(feature = "mutants", ignore = "mutants do not conform, and are not meant to")]
fn conforms_on_made_up_models_of_every_family() {
    yardstick_api::conformance::run_synthetic(&Cpu, &Reference);
}
