//! The packed weights of a model: where their panels are, and how they came there.
//!
//! In this order: a file in the cache folder that an earlier load left (mapped, so that processes share its pages); that file,
//! written now; private memory. What stands in the way of each is told in the facts. When nothing works, and when
//! packing is not wanted, the rows of the model's own file are multiplied as they are.

mod build;
mod evict;
mod file;
mod key;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use memmap2::{Mmap, MmapMut};
use yardstick_api::{Known, host};
use yardstick_model::Model;
use yardstick_model::gguf::TensorInfo;

use crate::kernels::packed::{Order, packed_bytes};
use crate::kernels::table::PackFn;
use crate::packed;
use crate::pool::Pool;

/// Panels start at multiples of this: a large page's lines never straddle two tensors.
const ALIGN: usize = 4096;

/// A tensor that is to be packed.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) tensor: TensorInfo,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) order: Order,
    pub(crate) pack: PackFn,
}

/// A tensor that is packed.
#[derive(Clone)]
pub(crate) struct Place {
    /// Where its panels are.
    bytes: Range<usize>,
    /// In what order.
    pub(crate) order: Order,
}

impl Wanted {
    fn row_bytes(&self) -> usize {
        self.tensor.format.row_bytes(self.cols)
    }

    fn bytes(&self) -> usize {
        packed_bytes(self.rows, self.row_bytes())
    }
}

/// The packed tensors.
pub(crate) struct Store {
    bytes: Bytes,
    /// By name.
    places: BTreeMap<String, Place>,
    /// How they came there, or why there are none.
    pub(crate) how: Known<String>,
}

enum Bytes {
    None,
    Private(MmapMut),
    Shared(Mmap),
}

/// Where each tensor goes, and the end of the last.
fn places(wanted: &[Wanted], mut at: usize) -> (BTreeMap<String, Place>, usize) {
    let mut places = BTreeMap::new();
    for wanted in wanted {
        at = at.next_multiple_of(ALIGN);
        let place = Place { bytes: at..at + wanted.bytes(), order: wanted.order };
        places.insert(wanted.tensor.name.clone(), place);
        at += wanted.bytes();
    }
    (places, at)
}

impl Store {
    /// No packed tensors, and why.
    pub(crate) fn none(why: impl Into<String>) -> Store {
        Store { bytes: Bytes::None, places: BTreeMap::new(), how: Known::unavailable(why) }
    }

    /// Packs the tensors, or finds them packed. `others` is what the model takes besides.
    pub(crate) fn open(
        model: &Model,
        wanted: &[Wanted],
        folder: Option<&Path>,
        pool: &mut Pool,
        others: u64,
    ) -> Store {
        if wanted.is_empty() {
            return Store::none("no tensor has a packed layout");
        }
        let mut why = "there is no cache folder".to_owned();
        if let Some(folder) = folder {
            match file::open_or_write(model, wanted, folder, pool) {
                Ok(store) => return store,
                Err(reason) => why = reason,
            }
        }
        packed::private(model, wanted, pool, others, &why)
    }

    /// Bytes this process alone holds.
    pub(crate) fn private_bytes(&self) -> u64 {
        match &self.bytes {
            Bytes::Private(bytes) => bytes.len() as u64,
            Bytes::None | Bytes::Shared(_) => 0,
        }
    }

    /// Where a tensor's panels are.
    pub(crate) fn place(&self, tensor: &str) -> Option<Place> {
        self.places.get(tensor).cloned()
    }

    /// Panels at a place.
    pub(crate) fn bytes(&self, place: &Place) -> &[u8] {
        let all: &[u8] = match &self.bytes {
            Bytes::None => &[],
            Bytes::Private(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        };
        &all[place.bytes.clone()]
    }
}

/// Into memory of our own, on large pages where the system gives them, if it fits; `why` not into a file.
fn private(model: &Model, wanted: &[Wanted], pool: &mut Pool, others: u64, why: &str) -> Store {
    let (places, end) = places(wanted, 0);
    let needed = (end as u64).saturating_add(others);
    if let Known::Value(limit) = host::available_memory()
        && needed > limit
    {
        let (needed, limit) = (needed >> 20, limit >> 20);
        return Store::none(format!(
            "{why}; a private copy would need {needed} MiB in all, {limit} MiB are available"
        ));
    }
    let mut bytes = match MmapMut::map_anon(end) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Store::none(format!("{why}; the system refused {end} bytes: {error}"));
        }
    };
    // Advice: without it pages are small, and reading is some 10 % slower.
    #[cfg(target_os = "linux")]
    let large = bytes.advise(memmap2::Advice::HugePage).is_ok();
    #[cfg(not(target_os = "linux"))]
    let large = false;
    if let Err(error) = build::build(model, wanted, &places, &mut bytes, pool) {
        return Store::none(format!("{why}; {error}"));
    }
    let pages = if large { "large pages asked for" } else { "small pages" };
    let how = format!("private memory, {} MiB, {pages}: {why}", end >> 20);
    Store { bytes: Bytes::Private(bytes), places, how: Known::Value(how) }
}
