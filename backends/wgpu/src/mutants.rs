//! Deliberate faults in the forward pass, to measure how often verification catches a broken shader or binding.
//! Without the feature `mutants` no fault can be made: every question below is a constant false.

use crate::shaders::Operation;

/// One fault. Each is made at exactly one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutants"), allow(dead_code, reason = "asked about, never made"))]
pub(crate) enum Mutant {
    /// A token that comes alone is rotated as if one position further.
    Position,
    /// Rotary pairs are formed the other family's way.
    Rotary,
    /// In `ffn_down`, the second of every eight groups of 32 weights gets the scale of the first.
    Subscale,
    /// In one layer, a token that comes alone does not store its key.
    StaleKv,
    /// One layer is skipped.
    SkipLayer,
    /// Queries miss the oldest position.
    WindowOldest,
    /// Queries see one position beyond their own where the batch has one.
    WindowNewest,
    /// The adapter is lost when a token comes alone.
    Lost,
}

/// The fault a device has; none as a rule.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mutation(#[cfg(feature = "mutants")] Option<Mutant>);

impl Mutation {
    /// This device has this fault.
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

    /// A shader's text with the fault, where it is one of that shader.
    pub(crate) fn text(self, operation: Operation, text: String) -> String {
        let changed = TEXTS.iter().find(|(mutant, of, ..)| self.is(*mutant) && *of == operation);
        match changed {
            Some((_, _, right, wrong)) => text.replace(right, wrong),
            None => text,
        }
    }
}

/// Faults in shaders: what is right, and what takes its place.
const TEXTS: [(Mutant, Operation, &str, &str); 2] = [
    (
        Mutant::WindowOldest,
        Operation::Attend,
        "let begin = end - min(end, p.window);",
        "let begin = min(end - 1u, end - min(end, p.window) + 1u);",
    ),
    (
        Mutant::WindowNewest,
        Operation::Attend,
        "let end = entry.y + 1u;",
        "let after = rows[min(token + 1u, arrayLength(&rows) - 1u)];\n    \
         let end = entry.y + select(1u, 2u, all(after.yz == entry.yz + vec2(1u, 0u)));",
    ),
];

/// The extra devices, by the part of their id after the colon. They run on the first adapter.
#[cfg(feature = "mutants")]
pub(crate) const DEVICES: [(&str, Mutation); 8] = [
    ("mutant-position", Mutation(Some(Mutant::Position))),
    ("mutant-rotary", Mutation(Some(Mutant::Rotary))),
    ("mutant-subscale", Mutation(Some(Mutant::Subscale))),
    ("mutant-stale-kv", Mutation(Some(Mutant::StaleKv))),
    ("mutant-skip-layer", Mutation(Some(Mutant::SkipLayer))),
    ("mutant-window-oldest", Mutation(Some(Mutant::WindowOldest))),
    ("mutant-window-newest", Mutation(Some(Mutant::WindowNewest))),
    ("lost", Mutation(Some(Mutant::Lost))),
];

/// There are none.
#[cfg(not(feature = "mutants"))]
pub(crate) const DEVICES: [(&str, Mutation); 0] = [];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_faults_replace_is_in_the_shaders_once() {
        for (mutant, operation, right, wrong) in TEXTS {
            let text = operation.text(None, crate::shaders::Variant::default());
            assert_eq!(text.matches(right).count(), 1, "{mutant:?}");
            let text = text.replace(right, wrong);
            naga::front::wgsl::parse_str(&text)
                .unwrap_or_else(|error| panic!("{mutant:?}: {}", error.emit_to_string(&text)));
        }
    }
}
