//! The power fails: whatever prefix of the log's writes reached the disk, with its last block whole, torn or garbled, acknowledged
//! records are there, none is half there, and the store goes on.
//!
//! The database itself is written only when the log is emptied into it, and then from a log that is on the disk; so states of
//! the log are the states there are. The procedure is SQLite's own for testing lost power, with the log's writes replayed here
//! instead of in a file system made for it: <https://www.sqlite.org/testing.html#crash_testing>.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Folder, record};
use crate::{Filter, Store};

/// Records of the log that is cut.
const RECORDS: u32 = 24;
/// Prefixes of it, each with its last block in every state.
const PREFIXES: usize = 180;
/// What a disk writes whole or not at all, in bytes.
const BLOCK: usize = 512;

/// What became of the last block.
#[derive(Clone, Copy, Debug)]
enum Last {
    Whole,
    /// Its second half was not written.
    Torn,
    Garbled,
}

#[test]
fn no_prefix_of_the_log_loses_an_acknowledged_record_or_shows_half_of_one() {
    let folder = Folder::new();
    let mut store = folder.open();
    let log = beside(&folder.path(), "-wal");
    let mut acknowledged = vec![(0, None)];
    for launch in 0..RECORDS {
        let record = record(launch);
        store.append(&record).unwrap();
        acknowledged.push((fs::metadata(&log).unwrap().len() as usize, Some(record.id)));
    }
    let (database, log) = (fs::read(folder.path()).unwrap(), fs::read(log).unwrap());
    assert!(
        acknowledged.windows(2).all(|two| two[0].0 < two[1].0),
        "the log was emptied meanwhile"
    );
    let mut states = 0;
    for n in 0..=PREFIXES {
        // Never a whole number of blocks or pages apart, so that cuts fall everywhere.
        let cut = n * log.len() / PREFIXES;
        for last in [Last::Whole, Last::Torn, Last::Garbled] {
            let expected = acknowledged.iter().filter(|(end, _)| *end <= untouched(cut, last));
            let expected: BTreeSet<String> = expected.filter_map(|(_, id)| id.clone()).collect();
            check(&database, &left(&log, cut, last), &expected, &format!("{cut} bytes, {last:?}"));
            states += 1;
        }
    }
    assert!(states > 500);
}

/// Bytes of the log that are as they were written.
fn untouched(cut: usize, last: Last) -> usize {
    match last {
        Last::Whole => cut,
        Last::Torn | Last::Garbled => cut.saturating_sub(BLOCK / 2),
    }
}

/// What is left of the log.
fn left(log: &[u8], cut: usize, last: Last) -> Vec<u8> {
    let mut left = log[..cut].to_vec();
    let spoilt = &mut left[untouched(cut, last)..];
    match last {
        Last::Whole => {}
        Last::Torn => spoilt.fill(0),
        Last::Garbled => {
            spoilt.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= 0x5a ^ i as u8)
        }
    }
    left
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// All of what is expected is there and nothing else, every row is whole, and a record can be appended.
fn check(database: &[u8], log: &[u8], expected: &BTreeSet<String>, state: &str) {
    let folder = Folder::new();
    let path = folder.path();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, database).unwrap();
    fs::write(beside(&path, "-wal"), log).unwrap();
    let mut store = folder.open();
    let stored = |store: &Store| -> BTreeSet<String> {
        store.records(&Filter::default()).map(|record| record.unwrap().id).collect()
    };
    let found = stored(&store);
    let lost: Vec<_> = expected.difference(&found).collect();
    assert!(lost.is_empty(), "{state}: lost {lost:?}");
    // A block whose end is as it would have been is not torn: at most the record it ends may be there besides.
    assert!(found.len() <= expected.len() + 1, "{state}: {} found", found.len());
    let next = record(RECORDS + 1);
    store.append(&next).unwrap();
    assert_eq!(stored(&store).len(), found.len() + 1, "{state}");
    drop(store);
    assert!(stored(&folder.open()).contains(&next.id), "{state}");
}
