//! The smallest model, its tokens, and what the null backend answers to them.
#![allow(clippy::unwrap_used, reason = "test support")]

use std::sync::Arc;

use yardstick_api::conformance::{Case, synthetic};
use yardstick_model::Model;

pub(crate) const VOCAB: usize = 61;

pub(crate) fn model() -> Arc<Model> {
    let (_, model) = synthetic::models().unwrap().swap_remove(0);
    assert_eq!(model.architecture().vocab, VOCAB);
    model
}

pub(crate) fn case() -> Case {
    let tokens = yardstick_api::verify::prompt(VOCAB, 24);
    let expected = yardstick_null::logits(&tokens, VOCAB);
    Case {
        name: "tiny".into(),
        model: model(),
        tokens,
        expected,
        context: None,
        tolerance: Some(0.0),
    }
}
