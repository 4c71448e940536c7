//! The worker's sending end, shared by the serving and the heartbeat thread; a message is one write of one line.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::protocol::{MAX_LINE, Message};

/// A sending end.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

impl Output {
    pub(super) fn new(output: impl Write + Send + 'static) -> Output {
        Output(Arc::new(Mutex::new(Box::new(output))))
    }

    /// Sends one message; one that is longer than a line may be is an error, not a broken line.
    pub(super) fn send(&self, message: &Message) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        if line.len() > MAX_LINE {
            let text = format!("a message of {} bytes is longer than {MAX_LINE}", line.len());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
        }
        line.push(b'\n');
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(&line)?;
        output.flush()
    }
}
