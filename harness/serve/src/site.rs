//! What every answer is made from: the store, what is kept of it, and who may ask.

use std::sync::Arc;

use yardstick_analyse::{Brief, is_noise};
use yardstick_record::Record;
use yardstick_store::{Entry, Filter, Store};

use crate::cache::Cache;
use crate::guard::Guard;
use crate::http::{Refusal, Status};
use crate::limits::{MOST_RECORDS, NOISE_RUNS};
use crate::stores::Stores;

/// The page's inside.
pub(crate) struct Site {
    pub(crate) stores: Stores,
    pub(crate) guard: Guard,
    pub(crate) cache: Cache,
    pub(crate) tool: String,
    pub(crate) tell: Box<dyn Fn(&str) + Send + Sync>,
}

impl Site {
    pub(crate) fn new(
        stores: Stores,
        guard: Guard,
        tool: String,
        tell: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Site {
        Site { stores, guard, cache: Cache::default(), tool, tell }
    }

    /// A record in brief; `None` where it cannot be read. Records never change, so it is read once.
    pub(crate) fn brief(
        &self,
        store: &Store,
        entry: &Entry,
    ) -> Result<Option<Arc<Brief>>, Refusal> {
        // A store put in place of this one has other records under these numbers.
        let key = format!("{} {} {}", entry.number, entry.launch, entry.cell);
        if let Some(brief) = self.cache.brief(&key) {
            return Ok(Some(brief));
        }
        match store.record_at(entry.number) {
            Ok(record) => Ok(record.map(|record| self.cache.keep_brief(key, Brief::of(&record)))),
            Err(error @ yardstick_store::Error::Row { .. }) => {
                (self.tell)(&format!("left out: {error}"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Records in brief, in their order; those that cannot be read are left out and told.
    pub(crate) fn briefs(&self, store: &Store, entries: &[Entry]) -> Result<Vec<Brief>, Refusal> {
        let mut briefs = Vec::with_capacity(entries.len());
        for entry in entries {
            briefs.extend(self.brief(store, entry)?.map(|brief| Brief::clone(&brief)));
        }
        Ok(briefs)
    }

    /// Every record of a run, when there are not too many of them.
    pub(crate) fn records(&self, store: &Store, run: &str) -> Result<Vec<Record>, Refusal> {
        let filter = Filter { run: Some(run.to_owned()), ..Filter::default() };
        let mut records = Vec::new();
        for record in store.records(&filter) {
            match record {
                Ok(record) => records.push(record),
                Err(error @ yardstick_store::Error::Row { .. }) => {
                    (self.tell)(&format!("left out: {error}"));
                }
                Err(error) => return Err(error.into()),
            }
            within(records.len())?;
        }
        Ok(records)
    }

    /// Records of the latest noise runs, for the noise floor.
    pub(crate) fn noise(&self, store: &Store) -> Result<Arc<Vec<Record>>, Refusal> {
        let mut runs = store.runs_like(is_noise)?;
        runs.drain(..runs.len().saturating_sub(NOISE_RUNS));
        let mut key = String::new();
        for run in &runs {
            key += &format!("{run} {};", store.last_of_run(run)?);
        }
        if let Some(records) = self.cache.noise(&key) {
            return Ok(records);
        }
        let mut records = Vec::new();
        for run in &runs {
            if store.entries(run, 0, MOST_RECORDS + 1)?.len() <= MOST_RECORDS {
                records.extend(self.records(store, run)?);
            }
        }
        Ok(self.cache.keep_noise(key, records))
    }

    /// What a run's pages are kept under: it changes when the run does.
    pub(crate) fn state_of(&self, store: &Store, run: &str) -> Result<String, Refusal> {
        let run = store.run(run)?;
        let last = store.last_of_run(&run.id)?;
        Ok(format!("{:?} {:?} {last}", run.id, run.finished))
    }
}

/// An error where a page would be made of more records than pages are made of.
pub(crate) fn within(records: usize) -> Result<(), Refusal> {
    if records <= MOST_RECORDS {
        return Ok(());
    }
    let why = format!(
        "the run has more than {MOST_RECORDS} records, too many for a page: `yardstick report RUN` shows it"
    );
    Err(Refusal::new(Status::Unprocessable, why))
}
