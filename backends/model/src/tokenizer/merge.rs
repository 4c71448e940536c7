//! Merging neighbours, best pair first, in O(n log n): a linked list of symbols and a heap of pairs.
//!
//! Both kinds of vocabulary merge this way and differ only in which pairs join and in what order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A symbol that is no token (yet): one character or byte the vocabulary lacks, or the middle of a merge.
pub(super) const NONE: u32 = u32::MAX;
/// End of the list.
const END: u32 = u32::MAX;

/// A piece of the text: neighbours in the list are neighbours in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// First byte.
    pub(super) start: u32,
    /// Bytes; 0 once merged into the symbol before.
    pub(super) len: u32,
    /// What it is, in the joiner's own numbers.
    pub(super) id: u32,
    previous: u32,
    next: u32,
}

/// Which neighbours join, and in what order.
pub(super) trait Join {
    /// The result of joining two neighbours and its place in the order (lowest first; of equals the leftmost).
    fn join(&self, text: &[u8], left: &Symbol, right: &Symbol) -> Option<(u32, u32)>;
}

/// A pair that joined when it was seen; stale once either side has changed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    order: u32,
    left: u32,
    right: u32,
    len: u32,
    id: u32,
}

/// Symbols of one word; kept between words so that nothing is allocated anew.
#[derive(Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    heap: BinaryHeap<Reverse<Pair>>,
}

impl Merger {
    /// Starts a word.
    pub(super) fn clear(&mut self) {
        self.symbols.clear();
    }

    /// Appends a symbol that begins where the one before ends.
    pub(super) fn push(&mut self, start: u32, len: u32, id: u32) {
        let at = self.symbols.len() as u32;
        if let Some(last) = self.symbols.last_mut() {
            last.next = at;
        }
        let previous = at.checked_sub(1).unwrap_or(END);
        self.symbols.push(Symbol { start, len, id, previous, next: END });
    }

    /// Joins until nothing joins; what is left, in order.
    pub(super) fn merge(&mut self, text: &[u8], join: &impl Join) -> impl Iterator<Item = Symbol> {
        let mut pairs = std::mem::take(&mut self.heap).into_vec();
        pairs.clear();
        pairs
            .extend((1..self.symbols.len() as u32).filter_map(|i| self.pair(text, join, i - 1, i)));
        self.heap = pairs.into();
        while let Some(Reverse(pair)) = self.heap.pop() {
            if self.is_current(&pair) {
                self.apply(&pair);
                let merged = self.symbols[pair.left as usize];
                for (left, right) in [(merged.previous, pair.left), (pair.left, merged.next)] {
                    let pair = self.pair(text, join, left, right);
                    self.heap.extend(pair);
                }
            }
        }
        self.symbols.iter().filter(|s| s.len > 0).copied()
    }

    fn pair(&self, text: &[u8], join: &impl Join, left: u32, right: u32) -> Option<Reverse<Pair>> {
        let (l, r) = (self.symbols.get(left as usize)?, self.symbols.get(right as usize)?);
        let (order, id) = join.join(text, l, r)?;
        Some(Reverse(Pair { order, left, right, len: l.len + r.len, id }))
    }

    fn is_current(&self, pair: &Pair) -> bool {
        let (l, r) = (&self.symbols[pair.left as usize], &self.symbols[pair.right as usize]);
        l.len > 0 && r.len > 0 && l.len + r.len == pair.len
    }

    fn apply(&mut self, pair: &Pair) {
        let next = self.symbols[pair.right as usize].next;
        self.symbols[pair.right as usize].len = 0;
        let left = &mut self.symbols[pair.left as usize];
        (left.len, left.id, left.next) = (pair.len, pair.id, next);
        if let Some(after) = self.symbols.get_mut(next as usize) {
            after.previous = pair.left;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Joins by a made-up table over small alphabets: dense, with many ties.
    struct Table {
        modulus: u32,
        seed: u32,
    }

    impl Join for Table {
        fn join(&self, _: &[u8], left: &Symbol, right: &Symbol) -> Option<(u32, u32)> {
            let mixed = (left.id * 31 + right.id * 17 + self.seed) % self.modulus;
            (mixed < self.modulus / 2 && left.len + right.len < 9).then_some((mixed, mixed % 5))
        }
    }

    /// The definition: of all joining neighbours the lowest, leftmost; again until there is none.
    fn naive(ids: &[u32], join: &Table) -> Vec<(u32, u32)> {
        let mut symbols: Vec<Symbol> =
            ids.iter().map(|&id| Symbol { start: 0, len: 1, id, previous: 0, next: 0 }).collect();
        loop {
            let best = symbols.windows(2).enumerate();
            let best = best.filter_map(|(i, w)| Some((join.join(b"", &w[0], &w[1])?, i)));
            let Some(((_, id), i)) = best.min_by_key(|((order, _), i)| (*order, *i)) else {
                return symbols.iter().map(|s| (s.len, s.id)).collect();
            };
            (symbols[i].len, symbols[i].id) = (symbols[i].len + symbols[i + 1].len, id);
            symbols.remove(i + 1);
        }
    }

    proptest! {
        #[test]
        fn the_heap_does_what_the_definition_says(
            ids in prop::collection::vec(0u32..5, 0..60), modulus in 2u32..40, seed in 0u32..100
        ) {
            let join = Table { modulus, seed };
            let mut merger = Merger::default();
            ids.iter().enumerate().for_each(|(i, &id)| merger.push(i as u32, 1, id));
            let merged: Vec<_> = merger.merge(b"", &join).map(|s| (s.len, s.id)).collect();
            prop_assert_eq!(merged, naive(&ids, &join));
        }
    }
}
