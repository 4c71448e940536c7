//! Rows of the embedding (and of learned positions), looked up on the host for graphs that start at the residual stream.

use std::sync::Arc;

use yardstick_api::{Error, Token};
use yardstick_model::Model;

/// Looks up rows.
pub(super) struct Embedding {
    model: Arc<Model>,
    /// One row of learned positions.
    place: Vec<f32>,
}

impl Embedding {
    pub(super) fn new(model: &Arc<Model>) -> Embedding {
        let width = model.architecture().embedding;
        Embedding { model: Arc::clone(model), place: vec![0.0; width] }
    }

    /// Rows of tokens from a position on, into (tokens, embedding).
    pub(super) fn fill(
        &mut self,
        position: usize,
        tokens: &[Token],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let missing = |name: &str| Error::Device(format!("{name}: not in the model file"));
        let architecture = self.model.architecture();
        let table = self.model.tensor("token_embd.weight");
        let table = table.ok_or_else(|| missing("token_embd.weight"))?;
        let width = architecture.embedding;
        for (&token, out) in tokens.iter().zip(out.chunks_exact_mut(width)) {
            table.format.decode(table.row(token as usize), out);
            if architecture.embedding_scale != 1.0 {
                out.iter_mut().for_each(|x| *x *= architecture.embedding_scale);
            }
        }
        if architecture.positions.is_some() {
            let table = self.model.tensor("position_embd.weight");
            let table = table.ok_or_else(|| missing("position_embd.weight"))?;
            for (row, out) in out.chunks_exact_mut(width).take(tokens.len()).enumerate() {
                table.format.decode(table.row(position + row), &mut self.place);
                out.iter_mut().zip(&self.place).for_each(|(x, place)| *x += place);
            }
        }
        Ok(())
    }
}
