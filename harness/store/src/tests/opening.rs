//! Opening: new, current, older, newer, foreign, read-only.

use std::path::Path;

use rusqlite::Connection;

use super::{Folder, record, run};
use crate::{Error, Filter, Store, VERSION};

#[test]
fn a_store_outlives_its_opening() {
    let folder = Folder::new();
    folder.open().append(&record(0)).unwrap();
    let store = folder.open();
    let records: Vec<_> = store.records(&Filter::default()).map(Result::unwrap).collect();
    assert_eq!(records, [record(0)]);
}

#[test]
fn every_commit_is_flushed_to_the_disk() {
    let folder = Folder::new();
    let store = folder.open();
    let pragma = |name| -> String {
        let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        format!("{:?}", store.connection.pragma_query_value(None, name, value).unwrap())
    };
    assert_eq!(pragma("journal_mode"), r#"Text("wal")"#);
    assert_eq!(pragma("synchronous"), "Integer(2)", "2 is FULL");
}

/// A store of schema 1 as it was first written, with one record that can be read and one that cannot.
fn hand_made_schema_1(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE runs (id TEXT PRIMARY KEY, started TEXT NOT NULL, suite TEXT NOT NULL,
                command TEXT NOT NULL, plan TEXT, finished TEXT) STRICT;
            CREATE TABLE records (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
                json TEXT NOT NULL) STRICT;
            INSERT INTO runs VALUES ('r1', '2026', 'quick', '[]', 'the plan', NULL);
            INSERT INTO records VALUES (2, 'x', 'not json');
            PRAGMA application_id = 1498633291; PRAGMA user_version = 1;",
        )
        .unwrap();
    let good = record(0);
    let values = [&good.id, &good.to_json()];
    connection.execute("INSERT INTO records VALUES (1, ?1, ?2)", values).unwrap();
}

#[test]
fn a_store_of_schema_1_is_migrated_with_its_records() {
    let folder = Folder::new();
    hand_made_schema_1(&folder.path());
    assert!(matches!(
        Store::open_read_only(&folder.path()),
        Err(Error::OlderSchema { found: 1, .. })
    ));
    let mut store = folder.open();
    assert_eq!(store.run("r1").unwrap().plan.as_deref(), Some("the plan"));
    assert!(store.measured("r1").unwrap().contains(&(record(0).cell.key(), 0)));
    let read: Vec<_> = store.records(&Filter::default()).collect();
    assert_eq!(read[0].as_ref().unwrap(), &record(0));
    assert!(matches!(read[1], Err(Error::Row { number: 2, .. })));
    store.append(&record(1)).unwrap();
    drop(store);
    assert_eq!(folder.open().records(&Filter::default()).count(), 3);
}

#[test]
fn an_empty_file_of_schema_0_becomes_a_store() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().parent().unwrap()).unwrap();
    std::fs::write(folder.path(), "").unwrap();
    assert!(folder.open().runs().unwrap().is_empty());
}

#[test]
fn eight_openings_at_once_make_one_store() {
    for round in 0..50 {
        let folder = Folder::new();
        let together = std::sync::Barrier::new(8);
        let open = || {
            together.wait();
            Store::open(&folder.path()).map(drop)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            for thread in threads {
                let opened = thread.join().unwrap();
                assert!(opened.is_ok(), "round {round}: {opened:?}");
            }
        });
    }
}

#[test]
fn a_newer_store_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    folder.open().append(&record(0)).unwrap();
    let newer = VERSION + 7;
    Connection::open(folder.path()).unwrap().pragma_update(None, "user_version", newer).unwrap();
    let bytes = std::fs::read(folder.path()).unwrap();
    for opened in [Store::open(&folder.path()), Store::open_read_only(&folder.path())] {
        let message = opened.unwrap_err().to_string();
        assert!(message.contains(&format!("schema {newer}")), "{message}");
        assert!(message.contains(&format!("up to {VERSION}")), "{message}");
    }
    assert!(std::fs::read(folder.path()).unwrap() == bytes, "the newer store was written to");
}

#[test]
fn other_files_are_not_stores() {
    let folder = Folder::new();
    let path = folder.path();
    assert!(matches!(Store::open_read_only(&path), Err(Error::Missing { .. })));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "GGUF is not a database, whatever its length may be. ".repeat(100))
        .unwrap();
    assert!(matches!(Store::open(&path), Err(Error::NotAStore { .. })));
    assert!(matches!(Store::open_read_only(&path), Err(Error::NotAStore { .. })));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (name)").unwrap();
    assert!(matches!(Store::open(&path), Err(Error::NotAStore { .. })));
}

#[test]
fn a_folder_that_cannot_be_made_is_a_clear_error() {
    let folder = Folder::new();
    folder.open();
    let below_a_file = folder.path().join("x").join("records.sqlite");
    let error = Store::open(&below_a_file).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
    assert!(error.to_string().contains("folder cannot be made"), "{error}");
}

#[test]
fn a_store_opened_to_read_refuses_to_write() {
    let folder = Folder::new();
    folder.open().append(&record(0)).unwrap();
    let mut store = Store::open_read_only(&folder.path()).unwrap();
    assert!(matches!(store.append(&record(1)), Err(Error::ReadOnly { .. })));
    assert!(matches!(store.begin_run(&run("r2"), ""), Err(Error::ReadOnly { .. })));
    assert_eq!(store.records(&Filter::default()).count(), 1);
}

/// Permissions do not hold back the superuser, who is told so.
#[test]
#[cfg(unix)]
fn a_read_only_folder_can_be_read_but_not_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.open().append(&record(0)).unwrap();
    let parent = folder.path().parent().unwrap().to_owned();
    let permit = |mode: u32, path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    permit(0o444, &folder.path());
    permit(0o555, &parent);
    if std::fs::write(parent.join("probe"), "").is_ok() {
        println!("skipped: this user may write to read-only folders");
    } else {
        assert!(matches!(Store::open(&folder.path()), Err(Error::ReadOnly { .. })));
        let store = Store::open_read_only(&folder.path()).unwrap();
        assert_eq!(store.records(&Filter::default()).count(), 1);
    }
    permit(0o755, &parent);
}
