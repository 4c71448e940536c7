//! Readers of the store: a few connections, each used by one request at a time.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use yardstick_store::{Error, Store};

use crate::http::{Refusal, Status};
use crate::limits::{MOST_READERS, READER_TIME};

/// Connections to one store.
pub(crate) struct Stores {
    path: PathBuf,
    free: Mutex<Free>,
    returned: Condvar,
}

struct Free {
    stores: Vec<Store>,
    /// Connections that may still be made.
    room: usize,
}

impl Stores {
    /// Opens the store once, so that one that cannot be read is an error before anything is served.
    pub(crate) fn open(path: PathBuf) -> Result<Stores, Error> {
        let first = Store::open_read_only(&path)?;
        let free = Mutex::new(Free { stores: vec![first], room: MOST_READERS - 1 });
        Ok(Stores { path, free, returned: Condvar::new() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads with a connection of its own.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut reader = Reader { stores: self, store: self.take()? };
        // Deleted or replaced: what was open is no longer what the path says.
        let store = match reader.store.take().filter(Store::is_in_place) {
            Some(store) => store,
            None => Store::open_read_only(&self.path)?,
        };
        read(reader.store.insert(store))
    }

    /// A free connection, or `None` for the right to make one.
    fn take(&self) -> Result<Option<Store>, Refusal> {
        let deadline = Instant::now() + READER_TIME;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(store) = free.stores.pop() {
                return Ok(Some(store));
            }
            if free.room > 0 {
                free.room -= 1;
                return Ok(None);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = "other requests keep the store busy; come again";
                return Err(Refusal::new(Status::Unavailable, why));
            }
            free = self.returned.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A connection in use; it goes back however the request ends.
struct Reader<'a> {
    stores: &'a Stores,
    store: Option<Store>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut free = self.stores.free.lock().unwrap_or_else(PoisonError::into_inner);
        match self.store.take() {
            Some(store) => free.stores.push(store),
            None => free.room += 1,
        }
        self.stores.returned.notify_one();
    }
}
