//! `ort:cpu`, whose graphs are of the dynamic form, against the conformance suite.

mod support;

use yardstick_api::Numerics;

#[test]
fn conforms_on_the_golden_models_it_covers() {
    support::golden_models("ort:cpu");
}

#[test]
fn conforms_on_made_up_models() {
    support::made_up_models("ort:cpu");
}

#[test]
fn weights_rounded_anew_are_computed_with_as_they_are() {
    for numerics in [Numerics::F32, Numerics::A8] {
        let models = ["plain", "gqa-q4_0"];
        support::answers_as_the_reference_with_the_same_weights("ort:cpu", numerics, &models);
    }
}
