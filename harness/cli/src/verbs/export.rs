//! `yardstick export`: records as JSON lines, or the JSON Schema they follow.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_store::Filter;

use crate::args::Export;
use crate::console;
use crate::output;
use crate::paths::Paths;
use crate::verbs::{DONE, FAILED};

/// Writes records; those that cannot be read are told, and the exit code says so.
pub(crate) fn run(paths: &Paths, args: &Export) -> Result<u8> {
    if args.schema {
        let mut out = create(args.output.as_deref())?;
        writeln!(out, "{:#}", yardstick_record::json_schema())?;
        out.flush()?;
        return Ok(DONE);
    }
    let store = output::open(&paths.store)?;
    let filters: Vec<Filter> = match args.runs.as_slice() {
        [] => vec![Filter::default()],
        runs => runs
            .iter()
            .map(|id| Ok(Filter { run: Some(store.run(id)?.id), ..Filter::default() }))
            .collect::<Result<_>>()?,
    };
    // Last, so that a request that cannot be met leaves an older export as it was.
    paths.spare_the_store(args.output.as_deref())?;
    let mut out = create(args.output.as_deref())?;
    let mut complete = true;
    for filter in filters {
        let exported = store.export(&filter, &mut out)?;
        for error in &exported.unreadable {
            console::tell(format!("warning: left out: {error}"));
            complete = false;
        }
    }
    out.flush()?;
    Ok(if complete { DONE } else { FAILED })
}

fn create(output: Option<&Path>) -> Result<Box<dyn Write>> {
    Ok(match output {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    })
}
