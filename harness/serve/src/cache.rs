//! What is kept in memory because it cannot change: records in brief, and whole pages under a key that says what they show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yardstick_analyse::Brief;
use yardstick_record::Record;

use crate::limits::{KEPT_BRIEFS, KEPT_BYTES, KEPT_PAGES};

/// Kept between requests, within bounds.
#[derive(Default)]
pub(crate) struct Cache {
    briefs: Mutex<HashMap<String, Arc<Brief>>>,
    /// The least recently used first.
    pages: Mutex<Vec<(String, Arc<Vec<u8>>)>>,
    /// Records of noise runs, under the ids of those runs.
    noise: Mutex<Option<(String, Arc<Vec<Record>>)>>,
}

impl Cache {
    pub(crate) fn brief(&self, key: &str) -> Option<Arc<Brief>> {
        lock(&self.briefs).get(key).cloned()
    }

    pub(crate) fn keep_brief(&self, key: String, brief: Brief) -> Arc<Brief> {
        let mut briefs = lock(&self.briefs);
        if briefs.len() >= KEPT_BRIEFS {
            briefs.clear();
        }
        let brief = Arc::new(brief);
        briefs.insert(key, Arc::clone(&brief));
        brief
    }

    pub(crate) fn page(&self, key: &str) -> Option<Arc<Vec<u8>>> {
        let mut pages = lock(&self.pages);
        let at = pages.iter().position(|(known, _)| known == key)?;
        let page = pages.remove(at);
        let bytes = Arc::clone(&page.1);
        pages.push(page);
        Some(bytes)
    }

    pub(crate) fn keep_page(&self, key: String, bytes: Vec<u8>) {
        let mut pages = lock(&self.pages);
        pages.push((key, Arc::new(bytes)));
        let size = |pages: &[(String, Arc<Vec<u8>>)]| -> usize {
            pages.iter().map(|(_, bytes)| bytes.len()).sum()
        };
        while pages.len() > KEPT_PAGES || (size(&pages) > KEPT_BYTES && !pages.is_empty()) {
            pages.remove(0);
        }
    }

    pub(crate) fn noise(&self, key: &str) -> Option<Arc<Vec<Record>>> {
        let noise = lock(&self.noise);
        noise.as_ref().filter(|(known, _)| known == key).map(|(_, records)| Arc::clone(records))
    }

    pub(crate) fn keep_noise(&self, key: String, records: Vec<Record>) -> Arc<Vec<Record>> {
        let records = Arc::new(records);
        *lock(&self.noise) = Some((key, Arc::clone(&records)));
        records
    }
}

/// What is kept is only ever inserted whole: a thread that panicked left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
