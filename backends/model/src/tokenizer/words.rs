//! A memory of words already merged: text repeats itself, and merging is the slow part.

use std::collections::HashMap;

/// Longest word worth remembering, in bytes.
const MAX_WORD: usize = 48;
/// Most words remembered; real text has fewer in a megabyte.
const MAX_WORDS: usize = 1 << 16;

/// Words and their ids, of one text.
#[derive(Default)]
pub(super) struct Words {
    places: HashMap<Box<[u8]>, (u32, u32), foldhash::fast::RandomState>,
    ids: Vec<u32>,
}

impl Words {
    /// Appends a word's ids if it was seen before.
    pub(super) fn recall(&self, word: &[u8], out: &mut Vec<u32>) -> bool {
        if word.len() > MAX_WORD {
            return false;
        }
        let Some(&(start, end)) = self.places.get(word) else { return false };
        out.extend_from_slice(&self.ids[start as usize..end as usize]);
        true
    }

    /// Remembers a word.
    pub(super) fn keep(&mut self, word: &[u8], ids: &[u32]) {
        if word.len() > MAX_WORD || self.places.len() == MAX_WORDS {
            return;
        }
        let start = self.ids.len() as u32;
        self.ids.extend_from_slice(ids);
        self.places.insert(word.into(), (start, self.ids.len() as u32));
    }
}
