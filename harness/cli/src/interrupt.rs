//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use crate::console;
use crate::verbs::INTERRUPTED;

/// A flag that Ctrl-C (or a termination signal) sets; the same one for every part of a verb.
pub(crate) fn flag() -> Result<Arc<AtomicBool>> {
    // A process has one handler.
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = FLAG.get() {
        return Ok(Arc::clone(flag));
    }
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if set.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        console::tell("\ninterrupted: keeping what is complete (again to leave at once)");
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(Arc::clone(FLAG.get_or_init(|| flag)))
}
