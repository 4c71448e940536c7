//! What a model would answer if it ended after each of its layers: a study of early exits, not a way to run.

use std::ops::ControlFlow;
use std::sync::Arc;

use yardstick_api::{Error, Options, Token};
use yardstick_model::Model;

use crate::backend::Reference;
use crate::forward::{Row, forward_watched, head};

/// Rows whose logits are held at once.
const ROWS: usize = 32;

/// The likeliest next token and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The token.
    pub token: Token,
    /// Its probability.
    pub probability: f32,
}

/// Runs each chunk of tokens as a text of its own and reads the model's own norm and head after every layer ("logit lens",
/// nostalgebraist 2020; early exits so decided: Schuster et al. 2022, arXiv 2207.07061): guesses of each position, (positions, layers);
/// the last of each is the model's answer. Every layer of every position is computed, so that later positions see whole keys and values.
/// `tell` hears after each chunk how many are done and may stop it there.
pub fn exits(
    model: &Arc<Model>,
    chunks: &[&[Token]],
    threads: Option<usize>,
    tell: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Vec<Guess>>, Error> {
    let context = chunks.iter().map(|chunk| chunk.len()).max().unwrap_or(0).max(1);
    let options = Options { threads, context: Some(context), ..Options::default() };
    let mut session = Reference.session(&Reference::device(), model, &options)?;
    let vocab = model.architecture().vocab;
    let mut all: Vec<Vec<Guess>> = Vec::new();
    for (done, &tokens) in chunks.iter().enumerate() {
        if let Some(token) = tokens.iter().find(|token| **token as usize >= vocab) {
            return Err(Error::Invalid(format!("token {token}, expected less than {vocab}")));
        }
        let rows: Vec<Row> = tokens
            .iter()
            .enumerate()
            .map(|(position, &token)| Row { sequence: 0, position, token, wanted: false })
            .collect();
        for rows in rows.chunks(ROWS) {
            let first = all.len();
            all.extend(rows.iter().map(|_| Vec::new()));
            forward_watched(&mut session.state, rows, &mut |weights, _, stream| {
                let logits = head(weights, stream)?;
                for (row, logits) in logits.chunks_exact(vocab).enumerate() {
                    all[first + row].push(guess(logits));
                }
                Ok(())
            })?;
        }
        if tell(done + 1).is_break() {
            break;
        }
    }
    Ok(all)
}

/// Softmax's largest, in f64.
fn guess(logits: &[f32]) -> Guess {
    let best = (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
    let top = logits.get(best).copied().unwrap_or(0.0);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
    Guess { token: best as Token, probability: (1.0 / sum) as f32 }
}

#[cfg(test)]
mod tests {
    use yardstick_api::{Batch, Rows, Sequence, Session, Span};

    use super::*;

    #[test]
    fn the_last_layer_is_the_models_own_answer_and_chunks_do_not_see_each_other() {
        for (name, model) in
            yardstick_api::conformance::synthetic::models().unwrap().into_iter().take(3)
        {
            let tokens = yardstick_api::verify::prompt(model.architecture().vocab, 40);
            let found =
                exits(&model, &[&tokens, &tokens], None, &mut |_| ControlFlow::Continue(()))
                    .unwrap();
            assert_eq!(found.len(), 80);
            assert_eq!(found[..40], found[40..], "{name}: the second text stands alone");
            let layers = model.architecture().layers.len();
            assert!(found.iter().all(|position| position.len() == layers));
            let options = Options { context: Some(40), ..Options::default() };
            let mut session = Reference.session(&Reference::device(), &model, &options).unwrap();
            let spans = [Span { sequence: Sequence(0), tokens: &tokens }];
            session.forward(&Batch { spans: &spans, rows: Rows::All }).unwrap();
            let logits = session.logits().unwrap();
            let expected: Vec<Guess> =
                logits.values.chunks_exact(logits.vocab).map(guess).collect();
            let last: Vec<Guess> = found[..40].iter().map(|p| p[layers - 1]).collect();
            assert_eq!(last, expected, "{name}");
        }
    }

    #[test]
    fn a_token_beyond_the_vocabulary_is_an_error() {
        let (_, model) = yardstick_api::conformance::synthetic::models().unwrap().swap_remove(0);
        let wrong = [model.architecture().vocab as Token];
        assert!(exits(&model, &[&wrong], None, &mut |_| ControlFlow::Continue(())).is_err());
    }
}
