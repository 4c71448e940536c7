//! Deliberate faults in the forward pass, to measure how often verification catches a broken kernel.
//! Without the feature `mutants` no fault can be made: every question below is a constant false.

/// One fault. Each is asked for at exactly one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(dead_code, reason = "asked about, never made"))]
pub(crate) enum Mutant {
    /// A token that comes alone is rotated as if one position further.
    Position,
    /// Rotary pairs are formed the other family's way.
    Rotary,
    /// In one kind of product (`ffn_down`), the second of every eight groups of 32 activations gets the scale of the first.
    Subscale,
    /// In one layer, a token that comes alone does not store its key.
    StaleKv,
    /// One layer is skipped.
    SkipLayer,
    /// Queries miss the oldest position.
    WindowOldest,
    /// Queries see one position beyond their own where there is one.
    WindowNewest,
}

/// The fault a session has; none as a rule.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mutation(#[cfg(feature = "mutants")] Option<Mutant>);

impl Mutation {
    /// This session has this fault.
    #[inline(always)]
    pub(crate) fn is(self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.0 == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}

/// The extra devices, by the part of their id after the colon.
#[cfg(feature = "mutants")]
pub(crate) const DEVICES: [(&str, Mutation); 7] = [
    ("mutant-position", Mutation(Some(Mutant::Position))),
    ("mutant-rotary", Mutation(Some(Mutant::Rotary))),
    ("mutant-subscale", Mutation(Some(Mutant::Subscale))),
    ("mutant-stale-kv", Mutation(Some(Mutant::StaleKv))),
    ("mutant-skip-layer", Mutation(Some(Mutant::SkipLayer))),
    ("mutant-window-oldest", Mutation(Some(Mutant::WindowOldest))),
    ("mutant-window-newest", Mutation(Some(Mutant::WindowNewest))),
];

/// There are none.
#[cfg(not(feature = "mutants"))]
pub(crate) const DEVICES: [(&str, Mutation); 0] = [];
