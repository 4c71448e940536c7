//! Appending: once, for good, by several processes, on a full disk.

use std::process::Command;

use super::{Folder, draft, record, run};
use crate::{Appended, Error, Filter, Store};

#[test]
fn appending_twice_stores_once() {
    let folder = Folder::new();
    let mut store = folder.open();
    assert_eq!(store.append(&record(0)).unwrap(), Appended::New);
    assert_eq!(store.append(&record(0)).unwrap(), Appended::Already);
    assert_eq!(store.records(&Filter::default()).count(), 1);
}

#[test]
fn a_source_that_fails_leaves_nothing_of_it() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.append(&record(0)).unwrap();
    let flawed = || Error::UnknownRun { id: "the source's own error".into() };
    let source = [Ok(record(1)), Ok(record(2)), Err(flawed())];
    let error = store.append_whole(source.into_iter()).unwrap_err();
    assert!(matches!(error, Error::UnknownRun { .. }), "{error}");
    let unsealed = store.append_whole([Ok(record(1)), Ok::<_, Error>(draft(2))].into_iter());
    assert!(matches!(unsealed, Err(Error::Record(_))));
    assert_eq!(store.records(&Filter::default()).count(), 1);
    let whole = [0, 1, 2].map(|launch| Ok::<_, Error>(record(launch)));
    assert_eq!(store.append_whole(whole.into_iter()).unwrap(), (2, 1));
    assert_eq!(store.records(&Filter::default()).count(), 3);
}

#[cfg(unix)]
#[test]
fn a_store_deleted_while_in_use_is_an_error_and_not_a_record_lost_in_silence() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.append(&record(0)).unwrap();
    std::fs::remove_file(store.path()).unwrap();
    assert!(matches!(store.append(&record(1)), Err(Error::Gone { .. })));
    drop(folder.open());
    let replaced = store.append(&record(2));
    assert!(replaced.is_err(), "stored in a file that has no name any more");
}

#[test]
fn an_unsealed_or_changed_record_is_not_stored() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut changed = record(0);
    changed.launch = 9;
    for bad in [draft(0), changed] {
        assert!(matches!(store.append(&bad), Err(Error::Record(_))));
    }
    assert_eq!(store.records(&Filter::default()).count(), 0);
}

#[test]
fn records_and_runs_cannot_be_edited_or_deleted() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.begin_run(&run("r1"), "plan").unwrap();
    store.append(&record(0)).unwrap();
    store.finish_run("r1", "2026-01-02").unwrap();
    for sql in [
        "UPDATE records SET json = '{}'",
        "DELETE FROM records",
        "UPDATE runs SET plan = NULL",
        "UPDATE runs SET finished = NULL",
        "DELETE FROM runs",
    ] {
        let error = store.connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("never"), "{sql}: {error}");
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_earlier_records_stay() {
    let folder = Folder::new();
    let mut store = folder.open();
    let pages: i64 =
        store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages + 8).unwrap();
    let mut stored = Vec::new();
    let error = loop {
        let next = record(stored.len() as u32);
        match store.append(&next) {
            Ok(_) => stored.push(next),
            Err(error) => break error,
        }
        assert!(stored.len() < 1000, "the limit had no effect");
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(!stored.is_empty());
    drop(store);
    let mut store = folder.open();
    let read: Vec<_> = store.records(&Filter::default()).map(Result::unwrap).collect();
    assert_eq!(read, stored);
    store.append(&record(5000)).unwrap();
}

/// The child of the next test: appends twenty records to the store it is told of.
#[test]
fn child_appends() {
    let Some(path) = std::env::var_os("YARDSTICK_TEST_APPEND") else { return };
    let first: u32 = std::env::var("YARDSTICK_TEST_FIRST").unwrap().parse().unwrap();
    let mut store = Store::open(path.as_ref()).unwrap();
    for launch in first..first + 20 {
        store.append(&record(launch)).unwrap();
    }
}

#[test]
fn four_processes_create_and_fill_one_store_at_once() {
    for _ in 0..8 {
        create_and_fill_at_once();
    }
}

fn create_and_fill_at_once() {
    let folder = Folder::new();
    let children: Vec<_> = (0..4_u32)
        .map(|child| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "tests::appending::child_appends"])
                .env("YARDSTICK_TEST_APPEND", folder.path())
                // Half of each child's records are the next one's too.
                .env("YARDSTICK_TEST_FIRST", (child * 10).to_string())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let store = folder.open();
    let mut launches: Vec<_> =
        store.records(&Filter::default()).map(|record| record.unwrap().launch).collect();
    launches.sort_unstable();
    assert_eq!(launches, (0..50).collect::<Vec<_>>());
}
