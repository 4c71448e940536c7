//! `ort:qnn-htp-emulator`: a small model in the static form, whole on the provider; and what happens when it is not.

mod support;

use std::ops::ControlFlow;

use support::{backend, device, settings};
use yardstick_api::conformance::synthetic;
use yardstick_api::verify::{mean_divergence, nmse};
use yardstick_api::{Backend, Batch, Error, KvType, Numerics, Options, Rows, Sequence, Span};
use yardstick_ort::{Ort, Provoke, Settings};
use yardstick_reference::Reference;

const ID: &str = "ort:qnn-htp-emulator";

fn options() -> Options {
    Options { kv: KvType::F32, context: Some(24), threads: Some(1), ..Options::default() }
}

#[test]
fn a_small_model_runs_whole_on_the_provider_and_answers_as_the_reference() {
    let backend = backend();
    let device = match device(&backend, ID) {
        Ok(device) => device,
        Err(line) => return println!("{line}"),
    };
    let cases = synthetic::cases(&Reference).expect("made-up models run");
    for name in ["plain", "bias-q8_0"] {
        let case = cases.iter().find(|case| case.name == name).expect("it is made up");
        let mut session = backend.load(&device, &case.model, &options()).expect("loads");
        let facts = session.facts();
        let placed = facts.notes["placement"].value().expect("it is known").clone();
        assert!(placed.starts_with("placed 100 %"), "{placed}");
        assert!(!placed.contains("CPUExecutionProvider"), "{placed}");
        let spans = [Span { sequence: Sequence(0), tokens: &case.tokens[..7] }];
        session.forward(&Batch { spans: &spans, rows: Rows::All }).expect("runs");
        let vocab = case.model.architecture().vocab;
        let found = session.logits().expect("there are logits").values.to_vec();
        let nmse = nmse(&found, &case.expected[..7 * vocab], vocab);
        let expected = &case.expected[..7 * vocab];
        let divergence = mean_divergence(&found, expected, vocab).expect("logits are finite");
        println!("{name}: NMSE {nmse:.1e}, KL divergence {divergence:.1e}, {placed}");
        assert!(nmse < facts.numerics.nmse_limit() && divergence < 1e-6, "{name}: {nmse:e}");
        let mut ids = Vec::new();
        session
            .generate(&[(Sequence(0), case.tokens[7])], 3, &mut |_, emitted| {
                ids.extend_from_slice(emitted);
                ControlFlow::Continue(())
            })
            .expect("generates");
        assert_eq!(ids.len(), 3);
    }
}

#[test]
fn weights_rounded_anew_are_computed_with_as_they_are() {
    support::answers_as_the_reference_with_the_same_weights(ID, Numerics::F32, &["plain"]);
}

/// What loading a model with blocks says, where the provider knows no blocks.
fn refusal(provoke: Provoke) -> Option<String> {
    let backend = Ort::new(Settings { provoke, ..settings() });
    let device = match device(&backend, ID) {
        Ok(device) => device,
        Err(line) => {
            println!("{line}");
            return None;
        }
    };
    let models = synthetic::models().expect("made-up models open");
    let (_, model) = models.into_iter().find(|(name, _)| *name == "gqa-q4_0").expect("made up");
    match backend.load(&device, &model, &options()) {
        Err(Error::Misplaced(reason)) => Some(reason),
        Err(error) => panic!("not told from another failure: {error}"),
        Ok(_) => panic!("ran, though the provider has no such operator"),
    }
}

#[test]
fn an_operator_that_the_provider_lacks_makes_the_cell_invalid() {
    let provoke = Provoke { unsupported: true, ..Provoke::default() };
    let Some(reason) = refusal(provoke) else { return };
    println!("{reason}");
    assert!(reason.contains(ID) && reason.contains("processor may not stand in"), "{reason}");
}

#[test]
fn a_silent_retry_on_the_processor_is_caught_by_the_account_of_nodes() {
    let provoke = Provoke { unsupported: true, fallback: true, ..Provoke::default() };
    let Some(reason) = refusal(provoke) else { return };
    println!("{reason}");
    assert!(reason.contains("MatMulNBits on CPUExecutionProvider"), "{reason}");
}
