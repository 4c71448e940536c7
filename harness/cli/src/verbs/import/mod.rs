//! `yardstick import`: records of ours line by line, other tools' results file by file: all of a file or nothing of it.

mod bundle;
mod folder;
mod foreign;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use yardstick_interchange::{Format, HEAD_BYTES, detect};
use yardstick_store::Store;

use crate::args::{Import, ImportFormat};
use crate::console;
use crate::paths::Paths;
use crate::verbs::{DONE, FAILED};

/// Reads every file; the exit code says whether all of them could be read whole.
pub(crate) fn run(paths: &Paths, args: &Import) -> Result<u8> {
    if let Some(folder) = paths.store.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut store = Store::open(&paths.store)?;
    let mut whole = true;
    for path in &args.files {
        whole &= file(&mut store, path, args.format)?;
    }
    Ok(if whole { DONE } else { FAILED })
}

/// Imports one file or folder; whether nothing of it was refused. What is wrong with it is told, and the next one follows.
fn file(store: &mut Store, path: &Path, asked: ImportFormat) -> Result<bool> {
    if path.is_dir() {
        return foreign::stored(path, "folder", folder::import(store, path, asked));
    }
    let mut input: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => {
            let file =
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    let mut head = Vec::new();
    input
        .by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let format = match format(asked, &head) {
        Ok(format) => format,
        Err(error) => return foreign::stored(path, "file", Err(error)),
    };
    let mut input = Cursor::new(head).chain(input);
    match format {
        Format::Yardstick => records(store, path, &mut input),
        Format::Bundle => bundle::import(store, path, &mut input),
        _ => foreign::import(store, path, format, &mut input),
    }
}

/// The format asked for, or the one that the first bytes tell. An empty file holds no records of ours.
fn format(asked: ImportFormat, head: &[u8]) -> Result<Format> {
    Ok(match asked {
        ImportFormat::Auto if head.trim_ascii().is_empty() => Format::Yardstick,
        ImportFormat::Auto => detect(head)?,
        ImportFormat::Jsonl => Format::Yardstick,
        ImportFormat::Bundle => Format::Bundle,
        ImportFormat::LlamaBench => Format::LlamaBench,
        ImportFormat::LlamaBenchCsv => Format::LlamaBenchCsv,
        ImportFormat::OptimumBenchmark => Format::OptimumBenchmark,
        ImportFormat::Criterion => bail!("criterion is imported from a folder: target/criterion"),
    })
}

/// Records of ours; lines that are none are told and left out.
fn records(store: &mut Store, path: &Path, input: &mut dyn BufRead) -> Result<bool> {
    let done = store.import(input)?;
    let name = path.display();
    for reason in &done.reasons {
        console::tell(format!("{name}: {reason}"));
    }
    console::say(format!(
        "{name}: {} records stored, {} there already, {} refused",
        done.new, done.already, done.refused
    ))?;
    Ok(done.refused == 0)
}
