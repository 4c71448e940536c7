//! Every kernel compiled for GPUs by NVIDIA's own compiler, which needs no GPU: without a warning, and within the
//! registers, spills and shared memory that `registers.txt` has. `ci/setup.sh` installs the compiler for tests.
//!
//! After a change that is meant: copy the table that the failed test names over `tests/registers.txt`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use yardstick_cuda::code::{Taken, compile, threads, title, work};
use yardstick_cuda::nvrtc::Nvrtc;

/// Registers of a processor, on which two blocks should be resident at least.
const REGISTERS: usize = 65_536;

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

#[test]
fn every_kernel_compiles_for_every_architecture_within_the_registers_of_the_table() {
    let Some(nvrtc) = compiler() else { return };
    let (major, minor) = nvrtc.version();
    let head = format!("NVRTC {major}.{minor}");
    let mut table = format!("{head}\n");
    for (arch, unit) in &work() {
        let title = title(arch, unit);
        let compiled = compile(&nvrtc, arch, unit);
        let (compiled, taken) = compiled.unwrap_or_else(|error| panic!("{title}: {error}"));
        assert!(!compiled.log.contains("warning"), "{title}: {}", compiled.log);
        assert!(compiled.code.starts_with(b"\x7fELF"), "{title}: no machine code");
        let Taken { registers, shared_bytes, spilled_bytes, .. } = taken;
        assert_eq!(spilled_bytes, 0, "{title}: {spilled_bytes} bytes spilled");
        assert!(
            2 * registers as usize * threads(unit) <= REGISTERS,
            "{title}: {registers} registers"
        );
        assert!(shared_bytes <= 48 << 10, "{title}: {shared_bytes} bytes of shared memory");
        writeln!(
            table,
            "{title}: {registers} registers, {shared_bytes} shared, {spilled_bytes} spilled"
        )
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
