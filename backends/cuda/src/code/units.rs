//! Which kernels are compiled to be looked at: in the variants that models of today ask for.

use crate::machine::Unit;
use crate::repack::Packed;

/// Turing, Ampere's and Ada's small boards, Hopper, Blackwell in data centres and on desks.
const ARCHITECTURES: &[&str] = &["sm_75", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"];
/// The one for which every variant is compiled; the others get one of each kernel.
const EVERYTHING: &str = "sm_90";
/// Kernels that need tensor cores with bf16.
const AMPERE: &[&str] = &["flash", "matmul"];
/// Kernels with blocks of 128 threads; the others have 256.
const HEADS: &[&str] = &["attend", "flash", "rotate"];

/// Threads of a block of a kernel.
pub fn threads(unit: &Unit) -> usize {
    if HEADS.contains(&unit.entry) { 128 } else { 256 }
}

/// Every architecture and unit that is looked at.
pub fn work() -> Vec<(&'static str, Unit)> {
    let mut work = Vec::new();
    for arch in ARCHITECTURES {
        let mut seen = Vec::new();
        for unit in units() {
            let first = !seen.contains(&unit.entry);
            seen.push(unit.entry);
            let fits = *arch != "sm_75" || !AMPERE.contains(&unit.entry);
            if fits && (first || *arch == EVERYTHING) {
                work.push((*arch, unit));
            }
        }
    }
    work
}

/// Its name: the kernel and what it is compiled for.
pub fn title(arch: &str, unit: &Unit) -> String {
    let defines = unit.defines.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{arch} {}{}", unit.entry, defines.collect::<String>())
}

/// Kernels in the variants that models of today ask for; the first of each kernel stands for it.
pub fn units() -> Vec<Unit> {
    let unit = |entry: &'static str, defines: &[(&'static str, &str)]| Unit {
        entry,
        defines: defines.iter().map(|&(name, value)| (name, value.to_owned())).collect(),
    };
    let mut units = Vec::new();
    // One row is measured most, so that it comes first.
    for format in [Packed::Q4_K].into_iter().chain(Packed::ALL) {
        units.push(unit("project", &[("FORMAT", format.name()), ("ROWS", "1")]));
    }
    for format in ["Q4_0", "Q6_K", "Q8_0", "F16"] {
        units.push(unit("project", &[("FORMAT", format), ("ROWS", "4")]));
        units.push(unit("head", &[("FORMAT", format), ("ROWS", "1")]));
        let gate = [("FORMAT_GATE", format), ("FORMAT_UP", format), ("GATED", "1"), ("ROWS", "1")];
        units.push(unit("gate_up", &gate));
        let q = [("FORMAT_Q", format), ("FORMAT_K", format), ("FORMAT_V", format)];
        units.push(unit("qkv", &[&q[..], &[("CACHE", "2"), ("ROWS", "1")]].concat()));
        for (mode, tile) in [("0", "128"), ("0", "64"), ("1", "128")] {
            let both = [("FORMAT", format), ("FORMAT_UP", format)];
            units.push(unit("matmul", &[&both[..], &[("MODE", mode), ("TILE_N", tile)]].concat()));
        }
        units.push(unit("embed", &[("FORMAT", format)]));
        units.push(unit("mix", &[("FORMAT", format)]));
    }
    let mixed = [("FORMAT_Q", "Q4_K"), ("FORMAT_K", "Q4_K"), ("FORMAT_V", "Q6_K"), ("CACHE", "2")];
    units.push(unit("qkv", &mixed));
    for cache in ["1", "2", "3"] {
        units.push(unit("attend", &[("CACHE", cache)]));
        units.push(unit("rotate", &[("CACHE", cache)]));
    }
    for (cache, dim) in [("2", "64"), ("2", "128"), ("3", "64"), ("2", "160")] {
        units.push(unit("flash", &[("CACHE", cache), ("DIM_K", dim), ("DIM_V", dim)]));
    }
    for bits in ["16", "32"] {
        units.push(unit("normalise", &[("BITS", bits)]));
    }
    for kind in ["0", "1", "2", "3", "4"] {
        units.push(unit("peak", &[("KIND", kind)]));
    }
    units.push(unit("route", &[("FORMAT", "F32")]));
    units.extend(["argmax", "read", "barrier"].map(|entry| unit(entry, &[])));
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KERNELS;

    #[test]
    fn the_list_of_units_has_every_kernel() {
        let units = units();
        for (name, _) in KERNELS {
            assert!(units.iter().any(|unit| unit.entry == *name), "{name}");
        }
        assert!(work().len() > units.len());
    }
}
