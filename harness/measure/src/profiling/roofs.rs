//! The roofs of a cell, from its own backend: the best of every time they were measured.

use std::collections::BTreeMap;

use yardstick_analyse::profile::{Roof, Roofs, Sustained};
use yardstick_api::{Backend, Device, Facts, Known, Limit, Reached};
use yardstick_model::Architecture;
use yardstick_record::Test;

use crate::runner::{arithmetic, plausible, working_set};

/// What a cell's roofs are measured for.
pub struct At<'b> {
    /// The backend.
    pub backend: &'b dyn Backend,
    /// The device.
    pub device: &'b Device,
    /// What ran.
    pub facts: &'b Facts,
    /// Bytes that a pass reads.
    pub bytes: u64,
    /// What it is a pass of.
    pub test: Test,
}

/// Bytes that one pass of a test reads: what the read roof depends on. 0 where the device does not say.
pub fn pass_bytes(facts: &Facts, architecture: &Architecture, test: Test) -> u64 {
    let Some(tokens) = test.tokens().filter(|_| facts.streamed_bytes > 0) else { return 0 };
    // The rows of a prefill share the keys they see; a decode's tokens each read theirs.
    let positions = match test {
        Test::Prefill { .. } => test.positions() as f64,
        _ => architecture.positions_read(tokens, test.depth()),
    };
    working_set(facts, 1, positions)
}

/// Measures the read roof alone once more (half a second and more): neighbours take of it from moment to moment.
pub fn measure_read(at: &At<'_>, before: Roofs) -> Roofs {
    let threads = at.facts.threads.value().copied();
    let limit = Limit::Read { bytes: at.bytes };
    let again = match at.bytes {
        0 => return before,
        _ => roof(plausible(at.backend.ceiling(at.device, limit, threads))),
    };
    let now = Roofs { read: again, ..before.clone() };
    better(&before, now)
}

/// Measures every roof once (about a second), and keeps the better of these and `before`.
pub fn measure_roofs(at: &At<'_>, before: Option<&Roofs>) -> Roofs {
    let threads = at.facts.threads.value().copied();
    let reach = |limit| plausible(at.backend.ceiling(at.device, limit, threads));
    let first = |limits: &[Limit]| {
        let mut reached = Known::unavailable("no arithmetic fits the numerics that ran");
        for &limit in limits {
            reached = reach(limit);
            if reached.value().is_some() {
                break;
            }
        }
        reached
    };
    let now = Roofs {
        read: roof(match at.bytes {
            0 => Known::unavailable("the device does not say how many bytes a pass reads"),
            bytes => reach(Limit::Read { bytes }),
        }),
        products: roof(first(&arithmetic(at.facts, at.test))),
        attention: roof(first(attention(&at.facts.notes, at.test))),
        barrier_ns: reach(Limit::Barrier).map(|reached| reached.value),
    };
    match before {
        Some(before) => better(before, now),
        None => now,
    }
}

/// In what attention multiplies.
fn attention(notes: &BTreeMap<String, Known<String>>, test: Test) -> &'static [Limit] {
    let note = match test {
        Test::Generate { .. } => Facts::DECODE_ATTENTION,
        _ => Facts::ATTENTION,
    };
    match notes.get(note).and_then(Known::value) {
        Some(note) if note == Facts::BF16 => &[Limit::Bf16],
        _ => &[Limit::F32],
    }
}

fn roof(reached: Known<Reached>) -> Known<Roof> {
    reached.map(|reached| {
        let nanoseconds: u64 = reached.rounds.iter().map(|round| round.nanoseconds).sum();
        let seconds = nanoseconds as f64 / 1e9;
        let sustained = reached.sustained();
        Roof {
            per_second: reached.value,
            sustained: sustained.map(|per_second| Sustained { per_second, seconds }),
            label: reached.label,
        }
    })
}

/// What disturbs a round only makes it slower; what was sustained is of both times.
fn better(before: &Roofs, now: Roofs) -> Roofs {
    let higher = |one: &Known<Roof>, other: Known<Roof>| match (one.value(), other) {
        (Some(first), Known::Value(second)) => Known::Value(merged(first.clone(), second)),
        (None, known @ Known::Value(_)) => known,
        _ => one.clone(),
    };
    Roofs {
        read: higher(&before.read, now.read),
        products: higher(&before.products, now.products),
        attention: higher(&before.attention, now.attention),
        barrier_ns: match (before.barrier_ns.value(), now.barrier_ns.value()) {
            (Some(first), Some(second)) => Known::Value(first.min(*second)),
            (Some(_), None) => before.barrier_ns.clone(),
            _ => now.barrier_ns,
        },
    }
}

fn merged(one: Roof, other: Roof) -> Roof {
    let sustained = match (one.sustained, other.sustained) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    };
    let best = if other.per_second > one.per_second { other } else { one };
    Roof { sustained, ..best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_of_a_prefill_and_of_a_decode_have_notes_of_their_own() {
        let (prefill, decode) =
            (Test::Prefill { tokens: 8, depth: 0 }, Test::Generate { tokens: 8, depth: 0 });
        let notes = |name: &str| [(name.to_owned(), Known::Value(Facts::BF16.to_owned()))].into();
        for (name, in_bf16) in [
            (Facts::ATTENTION, [true, false]),
            (Facts::DECODE_ATTENTION, [false, true]),
            ("packed", [false; 2]),
        ] {
            for (test, in_bf16) in [prefill, decode].into_iter().zip(in_bf16) {
                let wanted = if in_bf16 { Limit::Bf16 } else { Limit::F32 };
                assert_eq!(attention(&notes(name), test), [wanted], "{name} {test:?}");
            }
        }
    }

    #[test]
    fn the_better_of_two_times_is_kept_and_a_missing_one_never_wins() {
        let mean = |per_second, seconds| Some(Sustained { per_second, seconds });
        let roof = |value| {
            let (sustained, label) = (mean(value / 2.0, 1.0), String::new());
            Known::Value(Roof { per_second: value, sustained, label })
        };
        let none = || Known::unavailable("busy");
        let roofs = |read, products, barrier| Roofs {
            read,
            products,
            attention: none(),
            barrier_ns: barrier,
        };
        let first = roofs(roof(3.0), none(), Known::Value(2.0));
        let found = better(&first, roofs(roof(2.0), roof(5.0), Known::Value(1.0)));
        let mut wanted = roofs(roof(3.0), roof(5.0), Known::Value(1.0));
        if let Known::Value(read) = &mut wanted.read {
            read.sustained = mean(1.25, 2.0);
        }
        assert_eq!(found, wanted);
        assert_eq!(better(&found, roofs(none(), none(), Known::unavailable("busy"))), found);
    }
}
