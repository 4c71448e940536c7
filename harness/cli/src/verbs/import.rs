//! `yardstick import`: records from JSON lines into the store. Lines that are no records are told and left out.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_store::Store;

use crate::args::Import;
use crate::console;
use crate::paths::Paths;
use crate::verbs::{DONE, FAILED};

/// Reads every file; the exit code says whether all lines were records.
pub(crate) fn run(paths: &Paths, args: &Import) -> Result<u8> {
    if let Some(folder) = paths.store.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut store = Store::open(&paths.store)?;
    let mut refused = 0;
    for path in &args.files {
        let mut input: Box<dyn BufRead> = match path == Path::new("-") {
            true => Box::new(io::stdin().lock()),
            false => {
                let file =
                    File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
                Box::new(BufReader::new(file))
            }
        };
        let done = store.import(&mut input)?;
        for reason in &done.reasons {
            console::tell(format!("{}: {reason}", path.display()));
        }
        let name = path.display();
        console::say(format!(
            "{name}: {} records stored, {} there already, {} refused",
            done.new, done.already, done.refused
        ))?;
        refused += done.refused;
    }
    Ok(if refused == 0 { DONE } else { FAILED })
}
