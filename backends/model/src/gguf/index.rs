//! Names to positions, by keyed hash: finds duplicates in one pass and keeps no second copy of a name.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Positions sorted by the hash of their names. The hash is keyed, so that no file can aim at collisions.
pub(crate) struct Index {
    state: RandomState,
    entries: Vec<(u64, u32)>,
}

impl Index {
    /// Indexes `count` names, `name(i)` being the i-th; `Err((first, second))` are two equal ones.
    pub(crate) fn build<'a>(
        count: usize,
        name: impl Fn(usize) -> &'a [u8],
    ) -> Result<Index, (usize, usize)> {
        let state = RandomState::new();
        let mut entries: Vec<(u64, u32)> =
            (0..count).map(|i| (state.hash_one(name(i)), i as u32)).collect();
        entries.sort_unstable();
        for group in entries.chunk_by(|a, b| a.0 == b.0) {
            for (k, &(_, second)) in group.iter().enumerate().skip(1) {
                let same =
                    |&&(_, first): &&(u64, u32)| name(first as usize) == name(second as usize);
                if let Some(&(_, first)) = group[..k].iter().find(same) {
                    return Err((first as usize, second as usize));
                }
            }
        }
        Ok(Index { state, entries })
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
