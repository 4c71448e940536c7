//! A text as windows of a model's own tokens.

use yardstick_api::{Token, verify};
use yardstick_model::Model;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

use super::Trouble;
use crate::quality::Text;
use crate::runner::Prepared;

/// Windows of made-up tokens, unless a number is asked for.
const MADE_UP_WINDOWS: usize = 1;

/// A text cut into windows.
pub(super) struct Windows {
    /// All of one length.
    pub(super) windows: Vec<Vec<Token>>,
    /// Without one the tokens are made up.
    tokenizer: Option<Tokenizer>,
}

impl Windows {
    /// The whole windows of a text, at most so many. Where the model wants a token for the beginning of a text, every window
    /// has it in place of its first, as llama.cpp's `perplexity` does.
    pub(super) fn of(
        text: &Text,
        model: &Prepared,
        window: usize,
        most: usize,
    ) -> Result<Windows, Trouble> {
        let failed = |error: yardstick_model::Error| Trouble::failed(error.to_string());
        let file = Model::open(&model.path).map_err(failed)?;
        let Some(content) = &text.text else {
            let n = if most == usize::MAX { MADE_UP_WINDOWS } else { most };
            let tokens = verify::prompt(file.architecture().vocab, window * n);
            let windows = tokens.chunks_exact(window).map(<[Token]>::to_vec).collect();
            return Ok(Windows { windows, tokenizer: None });
        };
        let tokenizer = Tokenizer::from_gguf(file.gguf()).map_err(failed)?;
        let tokens = tokenizer.encode(content.as_bytes(), Encoding::default()).map_err(failed)?;
        if tokens.len() < window {
            let (name, n) = (&text.data.name, tokens.len());
            let message = format!(
                "{name} has {n} tokens, a window takes {window}: a longer text, or a smaller window (ppl64, kld64)"
            );
            return Err(Trouble::failed(message));
        }
        let begin = tokenizer.bos().filter(|bos| tokens.first() == Some(bos));
        let mut windows: Vec<Vec<Token>> =
            tokens.chunks_exact(window).take(most).map(<[Token]>::to_vec).collect();
        for window in &mut windows {
            window[0] = begin.unwrap_or(window[0]);
        }
        Ok(Windows { windows, tokenizer: Some(tokenizer) })
    }

    /// Words can only be compared with those of the same tokenizer.
    pub(super) fn same_as(&self, reference: &Windows) -> Result<(), Trouble> {
        match self.windows == reference.windows {
            true => Ok(()),
            false => Err(Trouble::failed(
                "the reference weights have another tokenizer: their words cannot be compared",
            )),
        }
    }

    /// The text of some tokens, fit for a record.
    pub(super) fn words(&self, tokens: &[Token]) -> String {
        match &self.tokenizer {
            Some(tokenizer) => {
                let bytes = tokenizer.decode(tokens, true).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            None => tokens
                .iter()
                .map(|token| format!("#{token} "))
                .collect::<String>()
                .trim_end()
                .to_owned(),
        }
    }
}
