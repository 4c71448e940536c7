//! Names to positions, by keyed hash: finds duplicates in one pass and keeps no second copy of a name.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Positions sorted by the hash of their names. The hash is keyed, so that no file can aim at collisions.
#[derive(Default)]
pub(crate) struct Index {
    state: RandomState,
    /// (hash, position)
    entries: Vec<(u64, u32)>,
}

impl Index {
    /// Adds the next name, while it is at hand: a name is looked at again only when its hash is met again,
    /// so that indexing does not bring back pages that were given up.
    pub(crate) fn push(&mut self, name: &[u8]) {
        self.entries.push((self.state.hash_one(name), self.entries.len() as u32));
    }

    /// Sorts, once all are added, `name(i)` being the i-th; `Err((first, second))` are two equal ones.
    pub(crate) fn finish<'a>(
        &mut self,
        name: impl Fn(usize) -> &'a [u8],
    ) -> Result<(), (usize, usize)> {
        self.entries.sort_unstable();
        for group in self.entries.chunk_by(|a, b| a.0 == b.0) {
            for (k, &(_, second)) in group.iter().enumerate().skip(1) {
                let second = second as usize;
                let same = |first: &usize| name(*first) == name(second);
                if let Some(first) = group[..k].iter().map(|e| e.1 as usize).find(same) {
                    return Err((first, second));
                }
            }
        }
        Ok(())
    }

    /// The position of a name, `of(i)` being the i-th.
    pub(crate) fn find<'a>(&self, name: &[u8], of: impl Fn(usize) -> &'a [u8]) -> Option<usize> {
        let hash = self.state.hash_one(name);
        let start = self.entries.partition_point(|e| e.0 < hash);
        self.entries[start..]
            .iter()
            .take_while(|e| e.0 == hash)
            .map(|e| e.1 as usize)
            .find(|&i| of(i) == name)
    }
}
