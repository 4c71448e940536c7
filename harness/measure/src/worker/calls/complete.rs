//! The call from text to text: a prompt and its greedy answer, timed from the one's bytes to the other's.

use std::sync::Arc;

use yardstick_model::Gguf;
use yardstick_model::tokenizer::Tokenizer;

use super::{Calls, Fault, Resident, Stop};
use crate::protocol::Answer;
use crate::timed::{self, Prompt};

impl Calls<'_> {
    pub(super) fn complete(
        &mut self,
        prompt: &str,
        n: usize,
        stops: &[String],
        cancelled: Stop<'_>,
    ) -> Result<Answer, Fault> {
        let epoch = self.epoch;
        let resident = self.resident()?;
        resident.filled = 0;
        if prompt.is_empty() || n == 0 {
            return Err(Fault::invalid("complete takes a prompt and at least one token"));
        }
        let tokenizer = resident.tokenizer()?;
        let prompt = Prompt { text: prompt, tokenizer: &tokenizer, most: n, stops };
        let completed = timed::complete(resident.session()?, epoch, &prompt, cancelled)?;
        Ok(Answer::Completed {
            text: completed.text,
            prompt_tokens: completed.prompt_tokens,
            tokens: completed.tokens,
            ended: completed.ended,
            sample: completed.sample,
        })
    }
}

impl Resident<'_> {
    fn tokenizer(&mut self) -> Result<Arc<Tokenizer>, Fault> {
        if let Some(known) = &self.tokenizer {
            return Ok(Arc::clone(known));
        }
        let gguf = Gguf::open(&self.path).map_err(Fault::model)?;
        let read = Arc::new(Tokenizer::from_gguf(&gguf).map_err(Fault::model)?);
        self.tokenizer = Some(Arc::clone(&read));
        Ok(read)
    }
}
