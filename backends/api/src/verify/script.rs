//! The script of a verification: which tokens go where. Few of them, since the reference runs them all.

use std::ops::Range;

use crate::{KvType, Options, Token};

/// Version of the prompt and the script; part of the key under which reference answers are cached.
pub const VERSION: u32 = 2;

/// Positions a session must have room for in each sequence to be verified.
pub const CONTEXT: usize = 32;

/// Tokens of the script.
pub(super) const TOKENS: usize = 32;
/// The prompt proper: the first sequence.
pub(super) const TRUNK: Range<usize> = 0..20;
/// The trunk's part that is prefilled, in two calls so that one continues what the other began;
/// the rest is appended token by token.
pub(super) const PREFILL: [Range<usize>; 2] = [0..9, 9..14];
/// What replaces the trunk's end after it was cut to `KEEP`: three tokens at once, then one.
pub(super) const BRANCH: [Range<usize>; 2] = [20..23, 23..24];
/// Positions of the trunk kept before the branch: less than was prefilled, so that stale rows lie behind it.
pub(super) const KEEP: usize = 12;
/// Continues the branch, in batches with `OTHER`.
pub(super) const GROWTH: Range<usize> = 24..27;
/// The second sequence after the first `FORK` tokens of the trunk.
pub(super) const OTHER: Range<usize> = 27..32;
/// Positions of the trunk kept in the second sequence, and before generation in the first.
pub(super) const FORK: usize = 7;
/// Tokens generated per sequence.
pub(super) const GENERATED: usize = 6;

/// The token that starts generation in the first and in the second sequence (indices of the script).
pub(super) const FIRST: [usize; 2] = [FORK, GROWTH.start];

/// The batched calls: for each span its sequence and its tokens. Lengths differ, order changes.
pub(super) const BATCHES: [[(u32, Range<usize>); 2]; 3] =
    [[(0, 24..25), (1, 27..30)], [(1, 30..31), (0, 25..26)], [(0, 26..27), (1, 31..32)]];

/// The verification prompt for a vocabulary: fixed, seeded by nothing but the vocabulary's size.
pub fn prompt(vocab: usize, length: usize) -> Vec<Token> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ vocab as u64;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % vocab.max(1) as u64) as Token
        })
        .collect()
}

/// How to load the reference for [`super::expect`]: one sequence, just enough context.
pub fn reference_options() -> Options {
    Options { context: Some(CONTEXT), sequences: 1, kv: KvType::F32, ..Options::default() }
}
