//! Faults made on purpose in shaders, and the devices that have a fault. The others are made where the thing itself is.

use yardstick_api::mutants::{Mutant, Mutation};

use crate::shaders::Operation;

/// A shader's text with the fault of a device, where it is one of that shader.
pub(crate) fn text(mutation: Mutation, operation: Operation, text: String) -> String {
    let of = operation.name();
    match TEXTS.iter().find(|(mutant, name, ..)| mutation.is(*mutant) && *name == of) {
        Some((_, _, right, wrong)) => text.replace(right, wrong),
        None => text,
    }
}

/// Faults in shaders: what is right, and what takes its place.
const TEXTS: [(Mutant, &str, &str, &str); 2] = [
    (
        Mutant::WindowOldest,
        "attend",
        "let begin = end - min(end, p.window);",
        "let begin = min(end - 1u, end - min(end, p.window) + 1u);",
    ),
    (
        Mutant::WindowNewest,
        "attend",
        "let end = entry.y + 1u;",
        "let after = rows[min(token + 1u, arrayLength(&rows) - 1u)];\n    \
         let end = entry.y + select(1u, 2u, all(after.yz == entry.yz + vec2(1u, 0u)));",
    ),
];

/// The devices with a fault, by the part of their id after the colon. They run on the first adapter.
pub(crate) fn devices() -> impl Iterator<Item = (&'static str, Mutation)> {
    yardstick_api::mutants::DEVICES.iter().copied().chain(LOST)
}

/// The adapter that is lost.
#[cfg(feature = "mutants")]
const LOST: Option<(&str, Mutation)> = Some(("lost", Mutation::of(Mutant::Lost)));

/// There is none.
#[cfg(not(feature = "mutants"))]
const LOST: Option<(&str, Mutation)> = None;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_faults_replace_is_in_the_shaders_once() {
        for (mutant, of, right, wrong) in TEXTS {
            let operation = Operation::Attend { lanes: false };
            assert_eq!(operation.name(), of);
            let text = operation.text(None, crate::shaders::Variant::default());
            assert_eq!(text.matches(right).count(), 1, "{mutant:?}");
            let text = text.replace(right, wrong);
            naga::front::wgsl::parse_str(&text)
                .unwrap_or_else(|error| panic!("{mutant:?}: {}", error.emit_to_string(&text)));
        }
    }
}
