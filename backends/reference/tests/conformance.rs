//! The reference against the conformance suite, and the promises only an oracle makes.

use std::path::Path;

use yardstick_api::conformance::{self, Golden, golden, synthetic};
use yardstick_api::verify::{compare, expect, observe, reference_options};
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, KvType, Numerics, Options, Rows, Sequence, Session, Span,
    Token,
};
use yardstick_reference::Reference;

fn golden_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden"))
}

#[test]
fn conforms_on_the_golden_models() {
    conformance::run_golden(&Reference, golden_folder());
}

/// Right by definition here; what is tested is that it copes with the shapes, in every kind of call.
#[test]
fn conforms_to_itself_on_made_up_models() {
    conformance::run_synthetic(&Reference, &Reference);
}

#[test]
fn exact_answers_of_quantised_models_are_met_to_rounding() {
    let Golden::Cases(cases) = golden(golden_folder()) else {
        return println!("skipped: no golden answers");
    };
    for case in cases {
        let context = Some(case.context.unwrap_or(24));
        let options = Options { context, kv: KvType::F32, ..Options::default() };
        let mut session = Reference.load(&device(), &case.model, &options).expect("loads");
        let actual = run(&mut *session, &[(0, &case.tokens)]);
        let nmse =
            yardstick_api::verify::nmse(&actual, &case.expected, case.model.architecture().vocab);
        assert!(nmse < 1e-11, "{}: {nmse:e}", case.name);
    }
}

#[test]
fn logits_do_not_depend_on_how_tokens_are_grouped_to_the_bit() {
    for case in synthetic::cases(&Reference).expect("made-up models run") {
        let kv = KvType::F32;
        let options =
            Options { context: Some(24), sequences: 2, chunk: 7, kv, ..Options::default() };
        let mut session = Reference.load(&device(), &case.model, &options).expect("loads");
        let mut steps = Vec::new();
        for token in &case.tokens {
            let both = run(&mut *session, &[(0, &[0]), (1, &[*token])]);
            steps.extend_from_slice(&both[both.len() / 2..]);
        }
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert!(bits(&steps) == bits(&case.expected), "{}", case.name);
    }
}

#[test]
fn the_reference_passes_its_own_verification_and_a_neighbour_does_not() {
    let models = synthetic::models().expect("made-up models open");
    let (_, model) = &models[0];
    let vocab = model.architecture().vocab;
    for sequences in [1, 2] {
        let options = Options { sequences, ..reference_options() };
        let mut session = Reference.load(&device(), model, &options).expect("loads");
        let seen = observe(&mut *session, vocab).expect("runs");
        for (name, other) in models.iter().filter(|(_, m)| m.architecture().vocab == vocab) {
            let mut oracle = Reference.load(&device(), other, &reference_options()).expect("loads");
            let expected = expect(&mut *oracle, vocab, &seen.generated).expect("runs");
            let checks = compare(&seen, &expected, Numerics::F32);
            let same = *name == models[0].0;
            assert_eq!(checks.iter().all(|check| check.passed()), same, "{name}: {checks:?}");
        }
    }
}

#[test]
fn a_plan_that_does_not_fit_says_the_numbers() {
    let (_, model) = synthetic::models().expect("made-up models open").swap_remove(0);
    let options = Options { context: Some(1 << 50), kv: KvType::F32, ..Options::default() };
    let refusal = Reference.plan(&device(), model.info(), &options).expect_err("refused");
    // 2 layers, 1 KV head of 16 + 16, 4 bytes: 256 bytes a position.
    let kv = ((1_u64 << 50) * 256) >> 20;
    assert!(refusal.reason.contains(&format!("KV cache {kv}")), "{refusal}");
    assert!(refusal.reason.contains("MiB are available") && refusal.fix.is_some(), "{refusal}");
}

fn device() -> Device {
    match Reference.devices().remove(0) {
        DeviceStatus::Ready(device) => device,
        DeviceStatus::Missing { reason, .. } => panic!("{reason}"),
    }
}

/// Logits of all rows of one call.
fn run(session: &mut dyn Session, spans: &[(u32, &[Token])]) -> Vec<f32> {
    let spans: Vec<Span<'_>> = spans
        .iter()
        .map(|&(sequence, tokens)| Span { sequence: Sequence(sequence), tokens })
        .collect();
    session.forward(&Batch { spans: &spans, rows: Rows::All }).expect("runs");
    session.logits().expect("has logits").values.to_vec()
}
