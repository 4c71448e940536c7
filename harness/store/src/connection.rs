//! Opening the database: flags, durability, and the ways in which it may refuse.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Error;

/// How long a writer waits for another one. A transaction here takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What tells one file from another that has its name later.
pub(crate) type FileId = (u64, u64);

/// The file that a path leads to now: device and number on Unix, unknown elsewhere.
pub(crate) fn file_id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// SQLite would wait for ever on a named pipe, and says little of a folder.
fn regular(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path) {
        Ok(data) if !data.is_file() => {
            let reason = "it is no regular file".to_owned();
            Err(Error::NotAStore { path: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// Opens for writing, creating file and folder.
pub(crate) fn writable(path: &Path) -> Result<Connection, Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| Error::ReadOnly {
            path: path.to_owned(),
            reason: format!("its folder cannot be made: {error}"),
        })?;
    }
    regular(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let at = |error| Error::of(path, error);
    let connection = Connection::open_with_flags(path, flags).map_err(at)?;
    // SQLite falls back to reading when the file may not be written.
    if connection.is_readonly("main").map_err(at)? {
        let reason = "the file is read-only".to_owned();
        return Err(Error::ReadOnly { path: path.to_owned(), reason });
    }
    connection.busy_timeout(PATIENCE).map_err(at)?;
    Ok(connection)
}

/// Makes every commit durable. Apart from opening, because the file's nature must be known before it is changed.
pub(crate) fn make_durable(connection: &Connection, path: &Path) -> Result<(), Error> {
    let at = |error| Error::of(path, error);
    write_ahead(connection).map_err(at)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(at)?;
    // macOS only: without it fsync stops at the drive's cache.
    connection.pragma_update(None, "fullfsync", true).map_err(at)
}

/// Two processes that create a store at the same moment both want this, and SQLite's own patience does not cover it.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mode =
            connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        if mode.is_ok_and(|mode| mode == "wal") {
            return Ok(());
        }
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Opens for reading, also where nothing at all may be written.
pub(crate) fn read_only(path: &Path) -> Result<Connection, Error> {
    if !path.exists() {
        return Err(Error::Missing { path: path.to_owned() });
    }
    regular(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let normal = Connection::open_with_flags(path, flags).and_then(usable);
    let connection = match normal {
        Ok(connection) => connection,
        // A write-ahead database needs its index file even to be read, unless nothing can change it.
        Err(_) if !has_log(path) => {
            let uri = format!("file:{}?immutable=1", escaped(path));
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let opened = Connection::open_with_flags(uri, flags).and_then(usable);
            opened.map_err(|error| Error::of(path, error))?
        }
        Err(error) => return Err(unindexed(path, error)),
    };
    connection.busy_timeout(PATIENCE).map_err(|error| Error::of(path, error))?;
    Ok(connection)
}

/// Commits wait in the log and the folder takes no index file of it.
fn unindexed(path: &Path, error: rusqlite::Error) -> Error {
    match Error::of(path, error) {
        Error::ReadOnly { path, .. } => Error::Database {
            path,
            message: "its last writer was killed and its folder cannot be written, so its log cannot be read; \
                copy the file and its -wal file to a folder that can be written"
                .into(),
        },
        other => other,
    }
}

/// SQLite opens lazily: the first read tells.
fn usable(connection: Connection) -> rusqlite::Result<Connection> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Commits that are not yet in the main file: it must not be read alone.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|data| data.len() > 0)
}

/// A path inside a URI.
fn escaped(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escape = |c: char| match c {
        '%' => "%25".to_owned(),
        '?' => "%3f".to_owned(),
        '#' => "%23".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}
