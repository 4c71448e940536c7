//! Logits of every position of a prompt on a device, for `model logits`: one worker, no measuring.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use yardstick_api::{Options, Token};
use yardstick_record::Phase;

use super::WorkerCommand;
use crate::child::{CallError, Child};
use crate::protocol::{Answer, Call, Load};
use crate::suite::Deadlines;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct LogitsRequest<'a> {
    /// Device id.
    pub device: &'a str,
    /// The GGUF file.
    pub model: &'a Path,
    /// Options; a context of `None` becomes the prompt's length.
    pub options: &'a Options,
    /// The prompt; not empty.
    pub tokens: &'a [Token],
    /// One token a call instead of all at once.
    pub step: bool,
    /// File written: little-endian f32, (tokens, vocab).
    pub out: &'a Path,
}

/// Why there are no logits.
#[derive(Debug, thiserror::Error)]
pub enum LogitsError {
    /// The device or the model refused, or the worker was lost.
    #[error("{0}")]
    Refused(String),
    /// Cancelled.
    #[error("interrupted")]
    Interrupted,
}

impl From<CallError> for LogitsError {
    fn from(error: CallError) -> LogitsError {
        match error {
            CallError::Fault { message, fix: Some(fix), .. } => {
                LogitsError::Refused(format!("{message}; {fix}"))
            }
            CallError::Fault { message, .. } => LogitsError::Refused(message),
            CallError::Lost(loss) => LogitsError::Refused(loss.message),
            CallError::Interrupted => LogitsError::Interrupted,
        }
    }
}

/// Writes the file and returns its shape, (rows, vocab).
pub fn logits(
    worker: &WorkerCommand,
    deadlines: &Deadlines,
    request: &LogitsRequest<'_>,
    cancel: &AtomicBool,
) -> Result<(usize, usize), LogitsError> {
    let (mut child, _) = Child::start(worker, deadlines, cancel)?;
    let context = request.options.context.unwrap_or(request.tokens.len().max(1));
    let load = Load {
        device: request.device.to_owned(),
        model: request.model.display().to_string(),
        options: Options { context: Some(context), ..request.options.clone() },
    };
    child.call(Call::Load(load), Phase::Load, cancel, &mut |_| {})?;
    let call = Call::Logits {
        tokens: request.tokens.to_vec(),
        step: request.step,
        held: 0,
        skip: 0,
        file: request.out.display().to_string(),
    };
    let answer = child.call(call, Phase::Sample, cancel, &mut |_| {})?;
    let Answer::Logits { rows, vocab } = answer else {
        return Err(child.unexpected(Phase::Sample, &answer).into());
    };
    child.stop();
    Ok((rows, vocab))
}
