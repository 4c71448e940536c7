//! The reference against the conformance suite on the golden models.

use yardstick_reference::Reference;

#[test]
fn conforms_on_the_golden_models() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    yardstick_api::conformance::run_golden(&Reference, golden.as_ref());
}
