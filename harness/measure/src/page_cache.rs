//! The system's page cache: asking it to let go of a file, and how much of one it holds. Both without any right beyond reading.

use std::fs::File;
use std::path::Path;

use yardstick_api::Known;

/// Places of a file that are looked at, at most.
#[cfg(target_os = "linux")]
const LOOKS: u64 = 256;
#[cfg(target_os = "linux")]
const PAGE: u64 = 4096;

/// Asks the system to let go of a file's pages, and tells the share of them that it still holds, percent. Pages that another process
/// has mapped stay.
pub(crate) fn forget(path: &Path) -> Known<f64> {
    match File::open(path) {
        Ok(file) => forget_file(&file),
        Err(error) => Known::unavailable(format!("the file cannot be opened: {error}")),
    }
}

/// Files that a process has mapped and does not execute: weights, and what was packed from them.
#[cfg(target_os = "linux")]
pub(crate) fn mapped(process: u32) -> Vec<std::path::PathBuf> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    data_files(&maps)
}

/// Other systems do not list them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mapped(_: u32) -> Vec<std::path::PathBuf> {
    Vec::new()
}

/// The paths of a `maps` file of which no part may be executed.
#[cfg(target_os = "linux")]
fn data_files(maps: &str) -> Vec<std::path::PathBuf> {
    use std::collections::BTreeMap;
    let mut files: BTreeMap<&str, bool> = BTreeMap::new();
    for line in maps.lines() {
        let (Some(rights), Some(at)) = (line.split_whitespace().nth(1), line.find('/')) else {
            continue;
        };
        *files.entry(&line[at..]).or_default() |= rights.contains('x');
    }
    files.into_iter().filter(|(_, runs)| !runs).map(|(path, _)| path.into()).collect()
}

#[cfg(target_os = "linux")]
fn forget_file(file: &File) -> Known<f64> {
    use rustix::fs::{Advice, fadvise};
    // What is not written yet cannot be let go of.
    let _ = file.sync_data();
    if let Err(error) = fadvise(file, 0, None, Advice::DontNeed) {
        return Known::unavailable(format!("the page cache does not take advice: {error}"));
    }
    held(file)
}

#[cfg(not(target_os = "linux"))]
fn forget_file(_: &File) -> Known<f64> {
    Known::unavailable("only Linux lets a program ask the page cache to let go of a file")
}

/// Reads a byte of pages spread evenly, each only if it is there already.
#[cfg(target_os = "linux")]
fn held(file: &File) -> Known<f64> {
    use std::io::IoSliceMut;

    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let pages = match file.metadata() {
        Ok(data) => data.len().div_ceil(PAGE),
        Err(error) => return Known::unavailable(format!("the file has no length: {error}")),
    };
    let looks = pages.min(LOOKS);
    if looks == 0 {
        return Known::unavailable("the file is empty");
    }
    let mut there = 0;
    for look in 0..looks {
        let mut byte = [0];
        let at = look * pages / looks * PAGE;
        match preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT) {
            Ok(_) => there += 1,
            Err(Errno::AGAIN) => {}
            Err(error) => {
                return Known::unavailable(format!("what is cached is not told: {error}"));
            }
        }
    }
    Known::Value(100.0 * there as f64 / looks as f64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_files_that_nothing_runs_from_are_data() {
        let maps = "1-2 r--p 0 fe:00 7 /bin/a\n2-3 r-xp 0 fe:00 7 /bin/a\n3-4 r--s 0 fe:00 8 /m/my model.gguf\n\
                    4-5 rw-p 0 00:00 0 \n5-6 rw-p 0 00:00 0 [heap]\n";
        assert_eq!(data_files(maps), [Path::new("/m/my model.gguf")]);
    }

    #[test]
    fn a_file_is_let_go_of_and_comes_back_by_being_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        let Known::Value(left) = forget(file.path()) else {
            println!("skipped: this file system does not tell what is cached");
            return;
        };
        std::fs::read(file.path()).unwrap();
        let Known::Value(read) = held(file.as_file()) else { panic!("it told before") };
        assert!(
            read > 99.0 && left <= read,
            "{left} % after it was let go of, {read} % after reading"
        );
        assert!(forget(Path::new("/nonexistent")).value().is_none());
    }
}
