//! Faults: a call that failed in a worker that lives on.

use yardstick_api::Error;

use crate::protocol::{FaultKind, Message};

/// What becomes a fault message.
#[derive(Debug)]
pub(in crate::worker) struct Fault {
    kind: FaultKind,
    message: String,
    fix: Option<String>,
}

impl Fault {
    pub(super) fn invalid(message: impl Into<String>) -> Fault {
        Fault { kind: FaultKind::Invalid, message: message.into(), fix: None }
    }

    pub(super) fn unsupported(message: String, fix: Option<String>) -> Fault {
        Fault { kind: FaultKind::Unsupported, message, fix }
    }

    pub(super) fn model(error: yardstick_model::Error) -> Fault {
        let kind = match error {
            yardstick_model::Error::Unsupported { .. } => FaultKind::Unsupported,
            _ => FaultKind::Model,
        };
        Fault { kind, message: error.to_string(), fix: None }
    }

    pub(super) fn io(file: &str, error: &std::io::Error) -> Fault {
        Fault { kind: FaultKind::Io, message: format!("{file}: {error}"), fix: None }
    }

    pub(in crate::worker) fn message(self, id: u64) -> Message {
        Message::Fault { id, kind: self.kind, message: self.message, fix: self.fix }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        let message = error.to_string();
        let (kind, fix) = match error {
            Error::Unsupported(refusal) => (FaultKind::Unsupported, refusal.fix),
            Error::Invalid(_) => (FaultKind::Invalid, None),
            Error::Model(error) => return Fault::model(error),
            Error::OutOfMemory(_) => (FaultKind::OutOfMemory, None),
            Error::DeviceLost(_) => (FaultKind::DeviceLost, None),
            Error::Misplaced(_) => (FaultKind::Misplaced, None),
            Error::Device(_) => (FaultKind::Device, None),
        };
        Fault { kind, message, fix }
    }
}
