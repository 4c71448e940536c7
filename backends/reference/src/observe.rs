//! Watching activations: what an importance matrix is made of.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use yardstick_api::{Batch, Error, Options, Rows, Sequence, Session, Span, Token};
use yardstick_model::Model;
use yardstick_model::quantize::Sums;

use crate::backend::Reference;

/// Runs each chunk of tokens as a text of its own and sums the squared activations that met every matrix of
/// the layers; the head is not run. `tell` hears after each chunk how many are done and may stop it there.
pub fn observe(
    model: &Arc<Model>,
    chunks: &[&[Token]],
    threads: Option<usize>,
    tell: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Sums, Error> {
    let context = chunks.iter().map(|chunk| chunk.len()).max().unwrap_or(0).max(1);
    let options = Options { threads, context: Some(context), ..Options::default() };
    let mut session = Reference.session(&Reference::device(), model, &options)?;
    session.state.weights.observed = Some(Mutex::new(Sums::default()));
    for (done, &tokens) in chunks.iter().enumerate() {
        let spans = [Span { sequence: Sequence(0), tokens }];
        session.forward(&Batch { spans: &spans, rows: Rows::None })?;
        session.truncate(Sequence(0), 0)?;
        if tell(done + 1).is_break() {
            break;
        }
    }
    let sums = session.state.weights.observed.take().unwrap_or_default();
    Ok(sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}
