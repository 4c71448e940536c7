//! Bundles into the store: all of one or nothing of it.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_interchange::bundle;
use yardstick_store::Store;

use crate::console;

/// Imports a bundle. What is wrong with one is an error, and ends the import.
pub(super) fn import(store: &mut Store, path: &Path, input: &mut dyn BufRead) -> Result<bool> {
    let name = path.display().to_string();
    let refused = || format!("{name}: nothing of this bundle was stored");
    let reader = bundle::read(input).with_context(refused)?;
    let profile = reader.manifest().profile.name();
    let records = reader.map(|record| record.map_err(anyhow::Error::from));
    let (new, already) = store.append_shared(records).with_context(refused)?;
    console::say(format!(
        "{name}: {new} records stored, {already} there already; profile {profile}; self-reported until the same cells are measured here, never ranked"
    ))?;
    Ok(true)
}
