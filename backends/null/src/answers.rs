//! The rule: a sequence's tokens are mixed into one number, and that number makes the logits.

use yardstick_api::Token;

/// Everything a sequence has been told, in one number; one is kept per position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u64);

impl State {
    /// Appends a token. Depends on every token before it and on their order.
    pub(crate) fn push(self, token: Token) -> State {
        State(mix(self.0.wrapping_add(u64::from(token)).wrapping_add(0x9E37_79B9_7F4A_7C15)))
    }

    /// The token with the largest logit.
    pub(crate) fn best(self, vocab: usize) -> Token {
        (self.0 % vocab.max(1) as u64) as Token
    }

    /// Appends `vocab` logits: noise between -1 and 1, and 4 for the best.
    pub(crate) fn write_logits(self, vocab: usize, out: &mut Vec<f32>) {
        let start = out.len();
        out.extend((0..vocab as u64).map(|i| {
            let noise = mix(self.0 ^ i.wrapping_mul(0xD1B5_4A32_D192_ED03)) >> 40; // 24 bits: exact in f32
            noise as f32 / (1 << 23) as f32 - 1.0
        }));
        if let Some(best) = out.get_mut(start + self.best(vocab) as usize) {
            *best = 4.0;
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What `null:ok` answers for every position of `tokens`: (tokens, vocab).
pub fn logits(tokens: &[Token], vocab: usize) -> Vec<f32> {
    let mut out = Vec::new();
    tokens.iter().fold(State::default(), |state, &token| {
        let state = state.push(token);
        state.write_logits(vocab, &mut out);
        state
    });
    out
}
