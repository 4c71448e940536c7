//! Two listings, kernel by kernel.

use std::collections::BTreeMap;

use yardstick_api::Known;
use yardstick_api::compiled::{Kernel, Listing};

use super::occupancy::blocks;
use crate::{Outcome, TestReport};

/// Growth of shared memory, and of instructions, that is told.
const GROWTH: f64 = 0.10;
/// Classes of instructions told of a kernel.
const CLASSES: usize = 4;

type ByName<'l> = BTreeMap<(&'l str, &'l str), &'l Kernel>;

fn by_name(listing: &Listing) -> ByName<'_> {
    listing.kernels.iter().map(|kernel| ((&*kernel.target, &*kernel.name), kernel)).collect()
}

/// Rows of what is worse or takes more, and notes on the rest.
pub(super) fn listings(base: &Listing, candidate: &Listing) -> (Vec<TestReport>, Vec<String>) {
    let (old, new) = (by_name(base), by_name(candidate));
    let mut rows = Vec::new();
    let (mut same, mut less, mut fresh) = (0_usize, Vec::new(), 0_usize);
    for (name, after) in &new {
        let Some(before) = old.get(name) else {
            fresh += 1;
            continue;
        };
        let title = format!("{} {}", after.name, after.target);
        match judge(before, after) {
            Some((outcome, reason)) => {
                rows.push(TestReport::unmeasured(&title, outcome, reason, None));
            }
            None if before == after => same += 1,
            None => less.push(title),
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name)).count();
    let compiler = candidate.compiler.value().map_or("a compiler", String::as_str);
    let mut notes = vec![format!(
        "GPU code by {compiler}, without a GPU: of {} kernels {same} have the same figures, {} other ones that matter little, {} \
         are rows here",
        new.len(),
        less.len(),
        rows.len()
    )];
    if fresh + gone > 0 {
        notes.push(format!("GPU code: {fresh} kernels are new, {gone} are gone"));
    }
    (rows, notes)
}

/// Whether a kernel is worse or takes more, and what of it.
fn judge(before: &Kernel, after: &Kernel) -> Option<(Outcome, String)> {
    let mut worse = Vec::new();
    if after.spilled_bytes > before.spilled_bytes {
        let (from, to) = (before.spilled_bytes, after.spilled_bytes);
        worse.push(format!("{to} bytes of registers are spilled, the base spills {from}"));
    }
    let mut changed = Vec::new();
    if let (Some(had), Some(has)) = (blocks(before), blocks(after))
        && has < had
    {
        let (from, to) = (before.registers, after.registers);
        changed.push(format!(
            "{has} blocks fit a processor, of the base {had} ({to} registers and {} bytes of shared memory, were {from} and {})",
            after.shared_bytes, before.shared_bytes
        ));
    }
    if grew(before.shared_bytes, after.shared_bytes) && changed.is_empty() {
        changed.push(format!(
            "{} bytes of shared memory, the base takes {}",
            after.shared_bytes, before.shared_bytes
        ));
    }
    if after.local_bytes > before.local_bytes && worse.is_empty() {
        changed.push(format!(
            "{} bytes of local memory, the base has {}",
            after.local_bytes, before.local_bytes
        ));
    }
    if let (Known::Value(from), Known::Value(to)) = (&before.instructions, &after.instructions)
        && grew(*from, *to)
    {
        changed.push(format!("{to} instructions, the base has {from}{}", mix(before, after)));
    }
    let words = |all: Vec<String>| all.join("; ");
    match (worse.is_empty(), changed.is_empty()) {
        (false, _) => Some((Outcome::Worse, words([worse, changed].concat()))),
        (true, false) => Some((Outcome::Changed, words(changed))),
        (true, true) => None,
    }
}

fn grew(from: u64, to: u64) -> bool {
    to as f64 > from as f64 * (1.0 + GROWTH)
}

/// The classes that changed most, ` (PTX: load global 12 to 24)`.
fn mix(before: &Kernel, after: &Kernel) -> String {
    let (Known::Value(old), Known::Value(new)) = (&before.mix, &after.mix) else {
        return String::new();
    };
    let of = |mix: &BTreeMap<String, u64>, class: &String| mix.get(class).copied().unwrap_or(0);
    let mut classes: Vec<&String> = old.keys().chain(new.keys()).collect();
    classes.sort();
    classes.dedup();
    classes.retain(|class| of(old, class) != of(new, class));
    classes.sort_by_key(|class| std::cmp::Reverse(of(old, class).abs_diff(of(new, class))));
    let words: Vec<String> = classes
        .into_iter()
        .take(CLASSES)
        .map(|class| format!("{class} {} to {}", of(old, class), of(new, class)))
        .collect();
    if words.is_empty() { String::new() } else { format!(" (PTX: {})", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yardstick_api::compiled::VERSION;

    fn kernel(name: &str) -> Kernel {
        Kernel {
            name: name.to_owned(),
            target: "sm_90".to_owned(),
            threads: 256,
            registers: 64,
            spilled_bytes: 0,
            local_bytes: 0,
            shared_bytes: 1024,
            instructions: Known::Value(1000),
            mix: Known::Value(BTreeMap::from([("load global".to_owned(), 12)])),
        }
    }

    fn listing(kernels: Vec<Kernel>) -> Listing {
        Listing { compiled: VERSION, compiler: Known::Value("NVRTC 13.0".to_owned()), kernels }
    }

    /// The one row of a kernel that was changed so.
    fn row(change: impl Fn(&mut Kernel)) -> Option<(Outcome, String)> {
        let mut after = kernel("f");
        change(&mut after);
        let (rows, notes) = listings(&listing(vec![kernel("f")]), &listing(vec![after]));
        assert!(notes[0].contains("of 1 kernels"), "{notes:?}");
        rows.into_iter().next().map(|row| (row.outcome, row.reason))
    }

    #[test]
    fn new_spills_fail_and_what_takes_more_is_a_warning() {
        let of = |change: &dyn Fn(&mut Kernel)| row(change).unwrap();
        let (outcome, reason) = of(&|kernel| kernel.spilled_bytes = 8);
        assert_eq!(outcome, Outcome::Worse);
        assert!(reason.contains("8 bytes of registers are spilled, the base spills 0"), "{reason}");
        let (outcome, reason) = of(&|kernel| kernel.registers = 65);
        assert_eq!(outcome, Outcome::Changed);
        assert!(reason.starts_with("3 blocks fit a processor, of the base 4"), "{reason}");
        let (_, reason) = of(&|kernel| kernel.shared_bytes = 2048);
        assert!(reason.contains("2048 bytes of shared memory, the base takes 1024"), "{reason}");
        let (_, reason) = of(&|kernel| {
            kernel.instructions = Known::Value(1200);
            kernel.mix = Known::Value(BTreeMap::from([("load global".to_owned(), 24)]));
        });
        assert!(
            reason.contains("1200 instructions") && reason.contains("load global 12 to 24"),
            "{reason}"
        );
    }

    #[test]
    fn what_matters_little_is_counted() {
        assert_eq!(row(|_| {}), None);
        assert_eq!(row(|kernel| kernel.registers = 60), None);
        assert_eq!(row(|kernel| kernel.instructions = Known::Value(1050)), None);
        assert_eq!(row(|kernel| kernel.instructions = Known::unavailable("no ELF")), None);
        let (rows, notes) = listings(&listing(vec![kernel("f")]), &listing(vec![kernel("g")]));
        assert!(rows.is_empty() && notes[1].contains("1 kernels are new, 1 are gone"), "{notes:?}");
    }
}
