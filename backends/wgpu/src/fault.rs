//! What the driver reports when nobody waits for it: kept, and turned into a classified error at the next call.
//! wgpu's own handler panics.

use std::sync::{Arc, Mutex, PoisonError};

use yardstick_api::Error;

/// The first fault of a device since the last question.
#[derive(Default)]
pub(crate) struct Fault {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lost: Option<String>,
    first: Option<Kind>,
}

enum Kind {
    OutOfMemory(String),
    Other(String),
}

impl Fault {
    /// Catches everything a device reports.
    pub(crate) fn watch(device: &wgpu::Device) -> Arc<Fault> {
        let fault = Arc::new(Fault::default());
        let seen = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error| seen.note(&error)));
        let seen = Arc::clone(&fault);
        device.set_device_lost_callback(move |reason, message| {
            seen.lose(format!("{reason:?}: {}", message.trim()));
        });
        fault
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, error: &wgpu::Error) {
        let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let kind = match error {
            wgpu::Error::OutOfMemory { .. } => Kind::OutOfMemory(text),
            _ => Kind::Other(text),
        };
        self.state().first.get_or_insert(kind);
    }

    pub(crate) fn lose(&self, reason: String) {
        self.state().lost.get_or_insert(reason);
    }

    /// The device answers no more.
    pub(crate) fn is_lost(&self) -> bool {
        self.state().lost.is_some()
    }

    /// The same, of what was just made: natively its errors are told before the call that makes it returns, in a browser later.
    pub(crate) fn check_of(&self, what: impl FnOnce() -> String) -> Result<(), Error> {
        self.check().map_err(|error| match error {
            Error::OutOfMemory(text) => Error::OutOfMemory(format!("{}: {text}", what())),
            Error::Device(text) => Error::Device(format!("{}: {text}", what())),
            other => other,
        })
    }

    /// What went wrong since the last question. A loss is for ever.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut state = self.state();
        if let Some(reason) = &state.lost {
            return Err(Error::DeviceLost(reason.clone()));
        }
        match state.first.take() {
            None => Ok(()),
            Some(Kind::OutOfMemory(text)) => Err(Error::OutOfMemory(text)),
            Some(Kind::Other(text)) => Err(Error::Device(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_told_once_and_a_loss_always() {
        let fault = Fault::default();
        assert!(fault.check().is_ok() && !fault.is_lost());
        let source = || Box::new(std::io::Error::other("full"));
        fault.note(&wgpu::Error::OutOfMemory { source: source() });
        let description = "bad\n  binding".to_owned();
        fault.note(&wgpu::Error::Validation { source: source(), description });
        assert!(matches!(fault.check(), Err(Error::OutOfMemory(_))));
        assert!(fault.check().is_ok());
        fault.lose("gone".into());
        for _ in 0..2 {
            assert!(matches!(fault.check(), Err(Error::DeviceLost(reason)) if reason == "gone"));
        }
    }
}
