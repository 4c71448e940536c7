//! The reject list: every hostile file gives a named error, quickly and in little memory.
//!
//! One test alone in its binary, because it reads the peak memory of the whole process.

mod build;
mod case;
mod families;
mod header;
mod large;
mod measure;
mod model;
mod tensors;
mod values;

use std::path::Path;

use case::Case;
use measure::measured;
use yardstick_model::{Error, Model};

const MIB: u64 = 1 << 20;

#[test]
fn every_hostile_file_is_rejected_by_name_quickly_and_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.gguf");
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut worst = (0.0f64, String::new(), 0u64, String::new());
    let families = [header::cases, values::cases, tensors::cases, model::cases];
    for case in families.into_iter().flat_map(|family| family()) {
        count += 1;
        let name = case.name.clone();
        let header_bytes = match write(&path, &case.bytes, case.disk_bytes) {
            Ok(n) => n,
            Err(e) => {
                println!("skipped: {name}: the file system refused: {e}");
                continue;
            }
        };
        let (result, seconds, grown) = measured(|| Model::open(&path).map(|_| ()));
        println!("{seconds:8.5} s {:6} KiB  {name}: {}", grown / 1024, shown(&result));
        wrong.extend(check(&case, &path, result).map(|problem| format!("{name}: {problem}")));
        wrong.extend(
            measure::over_limits(header_bytes, seconds, grown).map(|p| format!("{name}: {p}")),
        );
        if seconds > worst.0 {
            (worst.0, worst.1) = (seconds, name.clone());
        }
        if grown > worst.2 {
            (worst.2, worst.3) = (grown, name);
        }
    }
    println!(
        "{count} files; slowest {} s ({}); largest {} KiB ({})",
        worst.0,
        worst.1,
        worst.2 / 1024,
        worst.3
    );
    wrong.extend(large::check(folder.path()));
    assert!(wrong.is_empty(), "{} of {count} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 150, "only {count} files");
}

/// Writes a case; returns the bytes a reader may have to walk, at most what the metadata limit lets it.
fn write(path: &Path, bytes: &[u8], disk_bytes: Option<u64>) -> std::io::Result<u64> {
    std::fs::write(path, bytes)?;
    if let Some(n) = disk_bytes {
        std::fs::OpenOptions::new().write(true).open(path)?.set_len(n)?;
    }
    Ok(disk_bytes.unwrap_or(bytes.len() as u64).min(257 * MIB))
}

fn shown(result: &Result<(), Error>) -> String {
    match result {
        Ok(()) => "accepted".into(),
        Err(e) => e.to_string().rsplit_once(".gguf: ").map_or(e.to_string(), |m| m.1.to_owned()),
    }
}

fn check(case: &Case, path: &Path, result: Result<(), Error>) -> Option<String> {
    let (file, field, found, expected) = match result {
        Ok(()) => return Some("accepted".into()),
        Err(Error::Io { source, .. }) => return Some(format!("an I/O error: {source}")),
        Err(Error::Invalid { path, field, found, expected }) => (path, field, found, expected),
        Err(Error::Unsupported { path, what, supported }) => (path, what, String::new(), supported),
    };
    let parts = [(&field, case.field), (&found, case.found), (&expected, case.expected)];
    if file != path.display().to_string() {
        return Some(format!("names the file {file}"));
    }
    let text = format!("{field} / {found} / {expected}");
    if text.chars().any(char::is_control) || text.len() > 2000 {
        return Some(format!("unprintable or long: {text:?}"));
    }
    parts
        .iter()
        .find(|(part, wanted)| !part.contains(wanted))
        .map(|(_, wanted)| format!("{text:?} lacks {wanted:?}"))
}
