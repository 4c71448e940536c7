//! `ort:openvino-cpu`, a provider that compiles graphs of the static form, against the conformance suite.

mod support;

#[test]
fn conforms_on_the_golden_models_it_covers_and_on_made_up_models() {
    support::golden_models("ort:openvino-cpu");
    support::made_up_models("ort:openvino-cpu");
}
