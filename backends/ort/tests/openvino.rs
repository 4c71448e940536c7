//! `ort:openvino-cpu`, a provider that compiles graphs of the static form, against the conformance suite.

mod support;

use yardstick_api::Numerics;

#[test]
fn conforms_on_the_golden_models_it_covers_and_on_made_up_models() {
    support::golden_models("ort:openvino-cpu");
    support::made_up_models("ort:openvino-cpu");
}

#[test]
fn weights_rounded_anew_are_computed_with_as_they_are() {
    let (id, models) = ("ort:openvino-cpu", ["gqa-q4_0"]);
    support::answers_as_the_reference_with_the_same_weights(id, Numerics::F32, &models);
}
