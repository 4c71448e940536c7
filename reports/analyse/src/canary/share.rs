//! Whether a share is above or below a bound, asked as often as one likes.

use serde::Serialize;

/// Events that either happen or do not, against a bound of their share.
///
/// The ratio of a mixture's likelihood (Jeffreys' prior, a beta-binomial) to that of the bound is a martingale where the
/// share is the bound: it ever reaches 1 / alpha with a chance of at most alpha. Shares beyond the bound only lower it in
/// that direction.
///
/// Sources: Ville (1939); Robbins, Annals of Mathematical Statistics 41 (1970); Howard et al., Annals of Statistics 49 (2021).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Share {
    /// The bound, between 0 and 1.
    pub(super) bound: f64,
    pub(super) hits: u64,
    pub(super) n: u64,
    /// Logarithm of the ratio of likelihoods now, and at its largest on either side of the bound.
    #[serde(skip)]
    log: f64,
    #[serde(skip)]
    above: f64,
    #[serde(skip)]
    below: f64,
}

/// Jeffreys' prior.
const PRIOR: f64 = 0.5;

impl Share {
    pub(super) fn new(bound: f64) -> Share {
        Share { bound, hits: 0, n: 0, log: 0.0, above: 0.0, below: 0.0 }
    }

    pub(super) fn count(&mut self, hit: bool) {
        let (hits, n) = (self.hits as f64, self.n as f64);
        let foreseen = (hits + PRIOR) / (n + 2.0 * PRIOR);
        self.log += match hit {
            true => (foreseen / self.bound).ln(),
            false => ((1.0 - foreseen) / (1.0 - self.bound)).ln(),
        };
        self.hits += u64::from(hit);
        self.n += 1;
        let share = self.hits as f64 / self.n as f64;
        let side = if share > self.bound { &mut self.above } else { &mut self.below };
        *side = side.max(self.log);
    }

    /// The share is shown to be above the bound.
    pub(super) fn is_above(&self, alpha: f64) -> bool {
        self.bound >= 0.0 && self.bound < 1.0 && self.above >= -alpha.ln()
    }

    /// The share is shown to be below the bound.
    pub(super) fn is_below(&self, alpha: f64) -> bool {
        self.bound >= 1.0 || self.below >= -alpha.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_beta_binomials() {
        // 2 hits of 3 against one half: B(2.5, 1.5) / B(0.5, 0.5) / (1/2)^3 = (0.19635 / 3.14159) * 8 = 0.5.
        let mut share = Share::new(0.5);
        [true, false, true].into_iter().for_each(|hit| share.count(hit));
        assert!((share.log.exp() - 0.5).abs() < 1e-9, "{share:?}");
    }

    #[test]
    fn shares_on_either_side_are_told() {
        let (mut high, mut low) = (Share::new(0.2), Share::new(0.2));
        (0..200).for_each(|i| {
            high.count(i % 2 == 0);
            low.count(i % 20 == 0);
        });
        assert!(high.is_above(1e-3) && !high.is_below(1e-3), "{high:?}");
        assert!(low.is_below(1e-3) && !low.is_above(1e-3), "{low:?}");
    }
}
