//! How attention is cut into tasks: tokens and heads that share keys together, and the context in parts where there would be
//! too few tasks for the crew.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use yardstick_api::Piece;
use yardstick_model::arch::Layer;

use crate::attention::{KEYS, ROWS};

/// Tasks a thread should find at least, so that a late one does not hold up the crew.
const TASKS: usize = 4;
/// Positions of a part at least: below that, what a task costs at its start outweighs what it shares.
const PART: usize = 4 * KEYS;

/// Most tasks that work on parts.
pub(crate) fn most_parts(threads: usize) -> usize {
    2 * TASKS * threads
}

/// The cuts of all pieces of a step for one layer.
pub(crate) struct Cuts<'a> {
    pieces: &'a [Piece],
    /// Tokens of a task, so that its rows fit; a group wider than that is cut in several.
    tokens: usize,
    group: usize,
    kv_heads: usize,
    wide: usize,
    window: Option<usize>,
    /// Parts of a context, at most.
    parts: usize,
    /// All tasks.
    pub(crate) tasks: usize,
}

/// One task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) task: usize,
    pub(crate) piece: usize,
    /// Tokens of the piece.
    pub(crate) tokens: Range<usize>,
    /// Key-value head.
    pub(crate) head: usize,
    /// Query heads.
    pub(crate) heads: Range<usize>,
    /// Positions looked at.
    pub(crate) positions: Range<usize>,
    /// Which of so many parts of the context, and which rows these parts belong to.
    pub(crate) part: usize,
    pub(crate) parts: usize,
    pub(crate) unit: usize,
    /// The newest position is among them.
    pub(crate) newest: bool,
}

impl<'a> Cuts<'a> {
    pub(crate) fn new(pieces: &'a [Piece], shape: &Layer, threads: usize) -> Cuts<'a> {
        let group = shape.heads / shape.kv_heads;
        let mut cuts = Cuts {
            pieces,
            tokens: (ROWS / group).max(1),
            group,
            kv_heads: shape.kv_heads,
            wide: group.div_ceil(ROWS),
            window: shape.window,
            parts: 1,
            tasks: 0,
        };
        let units: usize = pieces.iter().map(|piece| cuts.units(piece)).sum();
        if threads > 1 && units < TASKS * threads {
            cuts.parts = (TASKS * threads).div_ceil(units.max(1));
        }
        cuts.tasks = pieces.iter().map(|piece| cuts.units(piece) * cuts.parts(piece)).sum();
        cuts
    }

    fn units(&self, piece: &Piece) -> usize {
        piece.rows.len().div_ceil(self.tokens) * self.kv_heads * self.wide
    }

    /// Parts of a piece's context.
    fn parts(&self, piece: &Piece) -> usize {
        let seen = piece.position + piece.rows.len();
        let seen = self.window.map_or(seen, |window| seen.min(window + piece.rows.len()));
        self.parts.min(seen / PART).max(1)
    }

    /// One of the tasks.
    pub(crate) fn at(&self, task: usize) -> Cut {
        let (mut left, mut unit) = (task, 0);
        for (index, piece) in self.pieces.iter().enumerate() {
            let (units, parts) = (self.units(piece), self.parts(piece));
            if left >= units * parts {
                left -= units * parts;
                unit += units;
                continue;
            }
            let (part, within) = (left % parts, left / parts);
            let unit = unit + within;
            let (wide, within) = (within % self.wide, within / self.wide);
            let (head, within) = (within % self.kv_heads, within / self.kv_heads);
            // The last tokens see most: they go first.
            let from = (piece.rows.len().div_ceil(self.tokens) - 1 - within) * self.tokens;
            let first = head * self.group;
            let heads = first + wide * ROWS..first + ((wide + 1) * ROWS).min(self.group);
            let tokens = from..(from + self.tokens).min(piece.rows.len());
            let positions = self.positions(piece, tokens.clone(), part, parts);
            return Cut {
                task,
                piece: index,
                tokens,
                head,
                heads,
                positions,
                part,
                parts,
                unit,
                newest: part + 1 == parts,
            };
        }
        unreachable!("task {task} of {}", self.tasks)
    }

    /// A part of what some tokens see, in whole blocks of keys.
    fn positions(
        &self,
        piece: &Piece,
        tokens: Range<usize>,
        part: usize,
        parts: usize,
    ) -> Range<usize> {
        let (oldest, end) = (piece.position + tokens.start + 1, piece.position + tokens.end);
        let start = self.window.map_or(0, |window| oldest.saturating_sub(window)) / KEYS;
        let blocks = end.div_ceil(KEYS) - start;
        let edge = |part: usize| (start + blocks * part / parts) * KEYS;
        let last = part + 1 == parts;
        edge(part)..if last { usize::MAX } else { edge(part + 1) }
    }
}

/// Parts finished of each unit.
pub(crate) struct Finished(Vec<AtomicUsize>);

impl Finished {
    /// None yet.
    pub(crate) fn new(threads: usize) -> Finished {
        Finished((0..TASKS * threads).map(|_| AtomicUsize::new(0)).collect())
    }

    /// One more is finished: true for the last of `parts`, which then sees what all the others wrote.
    pub(crate) fn is_last(&self, unit: usize, parts: usize) -> bool {
        let counter = &self.0[unit];
        let last = counter.fetch_add(1, Ordering::AcqRel) + 1 == parts;
        if last {
            counter.store(0, Ordering::Relaxed);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench;

    fn pieces(of: &[(usize, usize)]) -> Vec<Piece> {
        let mut row = 0;
        let piece = |&(position, len): &(usize, usize)| {
            row += len;
            Piece { sequence: 0, position, rows: row - len..row, span: len }
        };
        of.iter().map(piece).collect()
    }

    #[test]
    fn every_head_token_and_position_is_looked_at_once() {
        let of: [&[(usize, usize)]; 6] = [
            &[(0, 1)],
            &[(4095, 1)],
            &[(4000, 96)],
            &[(0, 513)],
            &[(9, 1), (5000, 1)],
            &[(700, 3)],
        ];
        for (heads, kv_heads, window) in
            [(14, 2, None), (32, 8, Some(1000)), (100, 1, None), (4, 4, Some(3))]
        {
            let shape = Layer { heads, kv_heads, window, ..bench::layer(64) };
            for (of, threads) in of.iter().flat_map(|of| [1, 2, 16].map(|threads| (of, threads))) {
                let pieces = pieces(of);
                let cuts = Cuts::new(&pieces, &shape, threads);
                let mut seen = std::collections::BTreeMap::new();
                for task in 0..cuts.tasks {
                    let cut = cuts.at(task);
                    let piece = &pieces[cut.piece];
                    assert!(cut.tokens.len() * cut.heads.len() <= ROWS && !cut.tokens.is_empty());
                    assert!(cut.parts == 1 || cuts.tasks <= most_parts(threads));
                    assert!(cut.parts == 1 || cut.unit < TASKS * threads);
                    assert!(cut.heads.end <= (cut.head + 1) * heads / kv_heads);
                    for token in cut.tokens.clone() {
                        let own = piece.position + token + 1;
                        let oldest = window.map_or(0, |window| own.saturating_sub(window));
                        let from = cut.positions.start.max(oldest);
                        let to = cut.positions.end.min(own).max(from);
                        for head in cut.heads.clone() {
                            *seen.entry((cut.piece, token, head)).or_insert(0) += to - from;
                        }
                    }
                }
                for (index, piece) in pieces.iter().enumerate() {
                    for token in 0..piece.rows.len() {
                        let own = piece.position + token + 1;
                        let expected = window.map_or(own, |window| own.min(window));
                        for head in 0..heads {
                            assert_eq!(seen.get(&(index, token, head)), Some(&expected));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn only_the_last_part_is_told_so_time_after_time() {
        let finished = Finished::new(1);
        for _ in 0..3 {
            assert!(!finished.is_last(3, 3) && !finished.is_last(3, 3) && finished.is_last(3, 3));
        }
    }
}
