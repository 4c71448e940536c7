//! Records in brief, from the store or a file: each is checked, reduced and forgotten, so that many fit.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use yardstick_analyse::Brief;
use yardstick_record::Record;
use yardstick_store::{Filter, Store};

use crate::console;

/// Of the store. What cannot be read is told and left out.
pub(crate) fn of_store(store: &Store, filter: &Filter) -> Vec<Brief> {
    let tell = |error| console::tell(format!("warning: left out: {error}"));
    store
        .records(filter)
        .filter_map(|record| record.map_err(tell).ok())
        .map(|r| Brief::of(&r))
        .collect()
}

/// Of a file as `yardstick export` writes it; a line that is no record is an error, with its number.
pub(crate) fn of_file(path: &Path) -> Result<Vec<Brief>> {
    let name = path.display();
    ensure!(
        path.is_file(),
        "{name} is no regular file, expected records as `yardstick export` writes them"
    );
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let mut briefs = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("{name}:{}", at + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let record = Record::from_json(&line).with_context(|| format!("{name}:{}", at + 1))?;
        briefs.push(Brief::of(&record));
    }
    Ok(briefs)
}
