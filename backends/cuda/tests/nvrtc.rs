//! Every kernel compiled for GPUs by NVIDIA's own compiler, which needs no GPU: without a warning, and within the
//! registers, spills and shared memory that `registers.txt` has. `ci/setup.sh` installs the compiler for tests.
//!
//! After a change that is meant: copy the table that the failed test names over `tests/registers.txt`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use yardstick_cuda::kernels::{KERNELS, options, source};
use yardstick_cuda::machine::Unit;
use yardstick_cuda::nvrtc::Nvrtc;
use yardstick_cuda::repack::Packed;

/// Turing, Ampere's and Ada's small boards, Hopper, Blackwell in data centres and on desks.
const ARCHITECTURES: &[&str] = &["sm_75", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"];
/// The one for which every variant is compiled; the others get one of each kernel.
const EVERYTHING: &str = "sm_90";
/// Kernels that need tensor cores with bf16.
const AMPERE: &[&str] = &["flash", "matmul"];
/// Kernels with blocks of 128 threads; the others have 256.
const HEADS: &[&str] = &["attend", "flash", "rotate"];
/// Registers of a processor, on which two blocks should be resident at least.
const REGISTERS: usize = 65_536;

/// Kernels in the variants that models of today ask for; the first of each kernel stands for it.
fn units() -> Vec<Unit> {
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

/// The compiler of the tests' tools folder, beside this build.
fn compiler() -> Option<Nvrtc> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("tools/nvrtc");
    let file = tools.join("nvidia/cu13/lib/libnvrtc.so.13");
    match Nvrtc::open(&file) {
        Ok(nvrtc) => Some(nvrtc),
        Err(_) => {
            println!("skipped: no NVRTC in {}; ci/setup.sh needed installs it", tools.display());
            None
        }
    }
}

/// What a kernel takes, as the compiler's log says.
#[derive(Debug, PartialEq)]
struct Taken {
    registers: usize,
    shared: usize,
    spilled: usize,
}

impl Taken {
    fn read(log: &str) -> Option<Taken> {
        let before = |word: &str| {
            let text = &log[..log.find(word)?];
            text.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
        };
        Some(Taken {
            registers: before(" registers")?,
            shared: before(" bytes smem").unwrap_or(0),
            spilled: before(" bytes spill stores")?,
        })
    }
}

/// One line of the table.
fn title(arch: &str, unit: &Unit) -> String {
    let defines = unit.defines.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{arch} {}{}", unit.entry, defines.collect::<String>())
}

fn compile(nvrtc: &Nvrtc, arch: &str, unit: &Unit) -> Taken {
    let title = title(arch, unit);
    let mut options = options(unit, arch);
    options.push("--ptxas-options=-v".into());
    let compiled = nvrtc.compile(unit.entry, &source(unit), &options);
    let compiled = compiled.unwrap_or_else(|error| panic!("{title}: {error}"));
    assert!(!compiled.log.contains("warning"), "{title}: {}", compiled.log);
    assert!(compiled.code.starts_with(b"\x7fELF"), "{title}: no machine code");
    let taken = Taken::read(&compiled.log);
    taken.unwrap_or_else(|| panic!("{title}: no registers in {}", compiled.log))
}

#[test]
fn every_kernel_compiles_for_every_architecture_within_the_registers_of_the_table() {
    let Some(nvrtc) = compiler() else { return };
    let (major, minor) = nvrtc.version();
    let head = format!("NVRTC {major}.{minor}");
    let mut table = format!("{head}\n");
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
    for (arch, unit) in &work {
        let taken = compile(&nvrtc, arch, unit);
        let Taken { registers, shared, spilled } = taken;
        let title = title(arch, unit);
        assert_eq!(spilled, 0, "{title}: {spilled} bytes spilled");
        let threads = if HEADS.contains(&unit.entry) { 128 } else { 256 };
        assert!(2 * registers * threads <= REGISTERS, "{title}: {registers} registers");
        assert!(shared <= 48 << 10, "{title}: {shared} bytes of shared memory");
        writeln!(table, "{title}: {registers} registers, {shared} shared, {spilled} spilled")
            .expect("a string");
    }
    compare(&head, &table);
}

/// The table made now against the one checked in, if it is of the same compiler.
fn compare(head: &str, made: &str) {
    let kept = include_str!("registers.txt");
    if kept.lines().next() != Some(head) {
        println!("skipped: registers.txt is not of {head}");
        return;
    }
    let lines = |text: &'static str| text.lines().skip(1).filter_map(|line| line.split_once(": "));
    let kept: BTreeMap<&str, &str> = lines(kept).collect();
    // A unit that stands twice is one row.
    let now: BTreeMap<&str, &str> =
        made.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    let drifted: Vec<String> = now
        .iter()
        .filter(|&(title, taken)| kept.get(title) != Some(taken))
        .map(|(title, taken)| format!("{title}: {taken}, was {:?}", kept.get(title)))
        .collect();
    if !drifted.is_empty() || now.len() != kept.len() {
        let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registers.txt");
        std::fs::write(&path, made).expect("the table can be written");
        panic!("kernels drifted; the new table is {}:\n{}", path.display(), drifted.join("\n"));
    }
}

#[test]
fn the_list_of_units_has_every_kernel() {
    let units = units();
    for (name, _) in KERNELS {
        assert!(units.iter().any(|unit| unit.entry == *name), "{name}");
    }
}

#[test]
fn the_compilers_log_is_read() {
    let log = "ptxas info    : 0 bytes gmem\nptxas         .     0 bytes stack frame, 8 bytes spill stores, 4 bytes spill \
               loads\nptxas info    : Used 96 registers, used 1 barriers, 18432 bytes smem";
    let taken = Taken { registers: 96, shared: 18_432, spilled: 8 };
    assert_eq!(Taken::read(log), Some(taken));
    assert_eq!(Taken::read("nothing"), None);
}
