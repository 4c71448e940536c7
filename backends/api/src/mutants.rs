//! Deliberate faults in a backend's forward pass, to measure how often verification catches one: which there are, and the
//! devices that have them. Without the feature `mutants` no fault can be made: every question below is a constant false.

/// One fault. A backend makes each at exactly one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A token that comes alone is rotated as if one position further.
    Position,
    /// Rotary pairs are formed the other family's way.
    Rotary,
    /// In `ffn_down`, the second of every eight groups of 32 columns gets the scale of the first: of its weights, or of
    /// the activations where those have scales.
    Subscale,
    /// In one layer, a token that comes alone does not store its key.
    StaleKv,
    /// One layer is skipped.
    SkipLayer,
    /// Queries miss the oldest position.
    WindowOldest,
    /// Queries see one position beyond their own where there is one.
    WindowNewest,
    /// The device is lost when a token comes alone.
    Lost,
}

/// The fault a device has; none as a rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutation(#[cfg(feature = "mutants")] Option<Mutant>);

impl Mutation {
    /// The fault made on purpose.
    #[cfg(feature = "mutants")]
    pub const fn of(mutant: Mutant) -> Mutation {
        Mutation(Some(mutant))
    }

    /// This device has this fault.
    #[inline(always)]
    pub fn is(self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.0 == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}

/// The devices that compute wrongly, by the part of their id after the colon.
#[cfg(feature = "mutants")]
pub const DEVICES: &[(&str, Mutation)] = &[
    ("mutant-position", Mutation::of(Mutant::Position)),
    ("mutant-rotary", Mutation::of(Mutant::Rotary)),
    ("mutant-subscale", Mutation::of(Mutant::Subscale)),
    ("mutant-stale-kv", Mutation::of(Mutant::StaleKv)),
    ("mutant-skip-layer", Mutation::of(Mutant::SkipLayer)),
    ("mutant-window-oldest", Mutation::of(Mutant::WindowOldest)),
    ("mutant-window-newest", Mutation::of(Mutant::WindowNewest)),
];

/// There are none.
#[cfg(not(feature = "mutants"))]
pub const DEVICES: &[(&str, Mutation)] = &[];
