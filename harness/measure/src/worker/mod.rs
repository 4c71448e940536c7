//! The worker: the child side of the protocol.

use yardstick_api::Backend;

/// Serves the protocol on this process's stdio until told to stop or until the parent is gone.
pub fn serve_stdio(backends: &[&dyn Backend]) -> std::process::ExitCode {
    let _ = backends;
    std::process::ExitCode::FAILURE
}
