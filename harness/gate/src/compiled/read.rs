//! Runs a listing program and reads what it prints.

use std::io::Read;
use std::process::Stdio;

use yardstick_api::compiled::{Listing, VERSION};

use crate::{Arm, Error, Program};

/// Longest listing.
const LONGEST: u64 = 64 << 20;
/// Characters kept of what a program says that failed.
const SAID: usize = 2000;

/// What a side compiles to.
pub(super) fn listing(arm: Arm, program: &Program) -> Result<Listing, Error> {
    let wrong = |what: String| Error::of(arm, format!("{program}: {what}"));
    let mut command = program.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| wrong(format!("cannot start: {error}")))?;
    let errors = child.stderr.take().map(|mut stderr| {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.by_ref().take(LONGEST).read_to_end(&mut said);
            String::from_utf8_lossy(&said).trim().to_owned()
        })
    });
    let mut text = Vec::new();
    let read = child.stdout.take().map(|stdout| stdout.take(LONGEST).read_to_end(&mut text));
    // One that goes on beyond the longest listing is not waited for.
    if text.len() as u64 == LONGEST {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| wrong(error.to_string()))?;
    let said = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
    if !status.success() {
        let end: Vec<char> = said.chars().rev().take(SAID).collect();
        let end: String = end.into_iter().rev().collect();
        return Err(wrong(format!("{status}: {end}")));
    }
    if let Some(Err(error)) = read {
        return Err(wrong(error.to_string()));
    }
    let listing: Listing = serde_json::from_slice(&text).map_err(|error| {
        wrong(format!("what it prints is no listing of compiled kernels: {error}"))
    })?;
    match listing.compiled {
        VERSION => Ok(listing),
        other => Err(wrong(format!("its listing is of version {other}, expected {VERSION}"))),
    }
}
