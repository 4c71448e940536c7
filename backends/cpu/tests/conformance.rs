//! Every usable instruction set against the conformance suite on the golden models.
//!
//! `qemu-x86_64-static -cpu Nehalem` (or `Haswell`) runs this binary on processors that lack features.

use yardstick_cpu::Cpu;

#[test]
#[cfg_attr(feature = "mutants", ignore = "mutants do not conform, and are not meant to")]
fn conforms_on_the_golden_models() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    yardstick_api::conformance::run_golden(&Cpu, golden.as_ref());
}
