//! Kernels that changed and kernels that did not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use yardstick_api::slices::{Anchor, Kernel};
use yardstick_render::elide;

use super::graph::{Node, nodes};
use super::image::Image;

/// Names of changed functions that are told.
const TOLD: usize = 4;

/// Characters of such a name, which may hold types of types.
const LONGEST: usize = 100;

/// Why a kernel need not be measured.
const SAME: &str = "its machine code and all it calls and reads are the same";

/// What a change can reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Kernels whose code, and all it calls and reads, is the same, and why that is known.
    pub same: BTreeMap<String, String>,
    /// Changed functions of the kernels' own, and of those beneath all, by kernel.
    pub changed: BTreeMap<String, Vec<String>>,
    /// Those of them whose own functions changed, and not only what others run too.
    pub own: BTreeSet<String>,
}

/// Holds the kernels of two programs against each other. `Err` says why machine code cannot be told apart.
pub fn impact(base: (&Path, &Listed), candidate: (&Path, &Listed)) -> Result<Impact, String> {
    let (old, new) = (Side::read(base)?, Side::read(candidate)?);
    let differing = differing(&old, &new);
    let mut impact = Impact::default();
    for (name, reached) in &new.reached {
        let Some(before) = old.reached.get(name) else { continue };
        let own = |side: &Side| side.own.get(name).is_some_and(|own| !own.is_disjoint(&differing));
        if own(&old) || own(&new) {
            impact.own.insert(name.clone());
        }
        let mut changed: Vec<String> = reached
            .union(before)
            .filter(|function| differing.contains(*function))
            .cloned()
            .collect();
        if reached.is_empty() {
            changed.push("its functions were not found".to_owned());
        }
        if changed.is_empty() {
            impact.same.insert(name.clone(), SAME.to_owned());
        } else {
            changed.sort_by_key(|name| (name.len(), name.clone()));
            let mut changed: Vec<String> = changed.iter().map(|name| readable(name)).collect();
            changed.dedup();
            changed.truncate(TOLD);
            impact.changed.insert(name.clone(), changed);
        }
    }
    Ok(impact)
}

/// What a worker said of its kernels.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Kernels.
    pub kernels: Vec<Kernel>,
    /// Where it was loaded.
    pub anchor: Option<Anchor>,
    /// Functions that no kernel runs.
    pub apart: Vec<u64>,
}

struct Side {
    image: Image,
    nodes: Vec<Node>,
    /// Names of functions by kernel.
    reached: BTreeMap<String, BTreeSet<String>>,
    /// Those reached from its own entries; from its roots where it has no entries.
    own: BTreeMap<String, HashSet<String>>,
}

impl Side {
    fn read((path, listed): (&Path, &Listed)) -> Result<Side, String> {
        let image = Image::read(path)?;
        let anchor = listed.anchor.as_ref().ok_or("the worker does not say where it was loaded")?;
        let here =
            find(&image, &anchor.symbol).ok_or_else(|| format!("no symbol {}", anchor.symbol))?;
        let moved = image.functions[here].address.wrapping_sub(anchor.address);
        let nodes = nodes(&image);
        let mut side = Side { nodes, reached: BTreeMap::new(), own: BTreeMap::new(), image };
        let at = |address: &u64| side.image.function_at(address.wrapping_add(moved));
        let all = listed.kernels.iter().flat_map(|kernel| &kernel.entries).chain(&listed.apart);
        let apart: HashSet<usize> = all.filter_map(at).collect();
        let (mut reached, mut own) = (BTreeMap::new(), BTreeMap::new());
        for kernel in &listed.kernels {
            let entries: Option<Vec<usize>> = kernel.entries.iter().map(at).collect();
            let roots: Option<Vec<usize>> =
                kernel.roots.iter().map(|root| find(&side.image, root)).collect();
            let (names, first) = match (entries, roots) {
                (Some(entries), Some(roots)) if !roots.is_empty() => {
                    let first = if entries.is_empty() { &roots } else { &entries };
                    let first = side.reach(first, &[], &apart);
                    (side.reach(&entries, &roots, &apart), first)
                }
                _ => (BTreeSet::new(), BTreeSet::new()),
            };
            own.insert(kernel.name.clone(), first.into_iter().collect());
            reached.insert(kernel.name.clone(), names);
        }
        (side.reached, side.own) = (reached, own);
        Ok(side)
    }

    /// Everything from the entries on, and from the roots on without the entries of other kernels.
    fn reach(
        &self,
        entries: &[usize],
        roots: &[usize],
        apart: &HashSet<usize>,
    ) -> BTreeSet<String> {
        let mut seen: HashSet<usize> = entries.iter().chain(roots).copied().collect();
        let mut open: Vec<usize> = seen.iter().copied().collect();
        while let Some(index) = open.pop() {
            let next = self.nodes[index].to.iter().filter(|to| !apart.contains(to));
            open.extend(next.filter(|to| seen.insert(**to)).copied());
        }
        seen.into_iter().map(|index| self.image.functions[index].name.clone()).collect()
    }

    /// Signatures by name, those that share one in order.
    fn signatures(&self) -> HashMap<&str, Vec<u64>> {
        let names = self.image.by_name();
        let of = |(name, all): (_, Vec<usize>)| {
            let mut signatures: Vec<u64> =
                all.iter().map(|index| self.nodes[*index].signature).collect();
            signatures.sort_unstable();
            (name, signatures)
        };
        names.into_iter().map(of).collect()
    }
}

/// Names of functions that are not the same on both sides, or on one only.
fn differing(old: &Side, new: &Side) -> HashSet<String> {
    let (before, after) = (old.signatures(), new.signatures());
    let names: HashSet<&str> = before.keys().chain(after.keys()).copied().collect();
    names
        .into_iter()
        .filter(|name| before.get(name) != after.get(name))
        .map(str::to_owned)
        .collect()
}

/// A linker's name as it is written in source, without hashes.
fn readable(name: &str) -> String {
    elide(&format!("{:#}", rustc_demangle::demangle(name)), LONGEST)
}

/// The function whose path ends so: `bench::entries::marker` is `…5bench7entries6marker…` for the linker, old mangling or new.
fn find(image: &Image, path: &str) -> Option<usize> {
    let mangled: String = path.split("::").map(|part| format!("{}{part}", part.len())).collect();
    image.functions.iter().position(|function| {
        let after = function.name.split_once(&mangled).map(|(_, after)| after);
        // What follows is a hash or nothing: not a longer path.
        after.is_some_and(|after| {
            after.is_empty()
                || after.starts_with("17h")
                || after.starts_with('E')
                || function.name == path
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_in_source_whatever_mangled_them() {
        let old = "_ZN13yardstick_cpu7kernels6packed3row17h0123456789abcdefE";
        let new = "_RNvNtNtCs1234_13yardstick_cpu7kernels6packed3row";
        for name in [old, new] {
            assert_eq!(readable(name), "yardstick_cpu::kernels::packed::row");
        }
        assert_eq!(readable("memcpy"), "memcpy");
        assert!(readable(&"x".repeat(1000)).chars().count() <= LONGEST);
    }
}
