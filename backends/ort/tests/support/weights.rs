//! Weights rounded anew: what a provider computes with them is what the reference computes with them, in the class it declares.

use std::sync::Arc;

use yardstick_api::conformance::synthetic;
use yardstick_api::verify::{mean_divergence, nmse};
use yardstick_api::{
    Backend, Batch, DeviceStatus, KvType, Numerics, Options, Rows, Sequence, Span, WeightScheme,
};
use yardstick_model::Model;
use yardstick_reference::Reference;

use super::{backend, device};

const ROWS: usize = 7;

fn options(weights: Option<WeightScheme>, numerics: Option<Numerics>) -> Options {
    let (context, threads) = (Some(24), Some(1));
    Options { kv: KvType::F32, context, threads, weights, numerics, ..Options::default() }
}

fn logits(backend: &dyn Backend, id: &str, model: &Arc<Model>, options: &Options) -> Vec<f32> {
    let status = backend.devices().into_iter().find(|status| status.id() == id);
    let Some(DeviceStatus::Ready(device)) = status else { panic!("there was a {id}") };
    let mut session = backend.load(&device, model, options).expect("loads");
    if let Some(scheme) = options.weights {
        let note = session.facts().notes[WeightScheme::NOTE].value().cloned();
        assert_eq!(note.as_deref(), Some(scheme.name()), "it says what it runs");
    }
    let tokens: Vec<u32> = (1..=ROWS as u32).collect();
    let spans = [Span { sequence: Sequence(0), tokens: &tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All }).expect("runs");
    session.logits().expect("there are logits").values.to_vec()
}

/// Every scheme on some of the made-up models.
pub(crate) fn answers_as_the_reference_with_the_same_weights(
    id: &str,
    numerics: Numerics,
    names: &[&str],
) {
    let backend = backend();
    if let Err(line) = device(&backend, id) {
        return println!("{line}");
    }
    let models = synthetic::models().expect("made-up models open");
    for &name in names {
        let (_, model) = models.iter().find(|(known, _)| *known == name).expect("made up");
        let vocab = model.architecture().vocab;
        let own = logits(&Reference, "reference:f32", model, &options(None, None));
        for scheme in WeightScheme::ALL {
            let numerics = if scheme.rounds_activations() { Numerics::A8 } else { numerics };
            let asked = options(Some(scheme), None);
            let expected = logits(&Reference, "reference:f32", model, &asked);
            let asked = options(Some(scheme), Some(numerics));
            let found = logits(&backend, id, model, &asked);
            let error = nmse(&found, &expected, vocab);
            let cost = mean_divergence(&found, &own, vocab).expect("logits are finite");
            println!("{id}, {name}, {}: NMSE {error:.1e}, KL {cost:.1e}", scheme.name());
            assert!(error < numerics.nmse_limit(), "{id}, {name}, {}: {error:e}", scheme.name());
        }
    }
}
