//! The listing of every kernel that is looked at.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use yardstick_api::compiled::{Kernel, Listing, VERSION};
use yardstick_api::{Error, Known};

use super::{Taken, mix, threads, title, work};
use crate::kernels::{options, source};
use crate::machine::Unit;
use crate::nvrtc::{Compiled, Nvrtc};

/// One kernel for one architecture.
pub fn compile(nvrtc: &Nvrtc, arch: &str, unit: &Unit) -> Result<(Compiled, Taken), Error> {
    let mut options = options(unit, arch);
    options.push("--ptxas-options=-v".into());
    let compiled = nvrtc.compile(unit.entry, &source(unit), &options)?;
    let taken = Taken::read(&compiled.log).ok_or_else(|| {
        Error::Device(format!("{}: no registers in {}", title(arch, unit), compiled.log))
    })?;
    Ok((compiled, taken))
}

/// Every kernel for every architecture, on all processors; those that this compiler does not know are left out and told.
pub fn list(nvrtc: &Nvrtc) -> Result<Listing, Error> {
    let (work, next) = (work(), AtomicUsize::new(0));
    let found = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(work.len()) {
            scope.spawn(|| {
                while let Some((arch, unit)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let kernel = compile(nvrtc, arch, unit);
                    let kernel =
                        kernel.map(|(compiled, taken)| listed(arch, unit, &compiled, taken));
                    let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    found.push((title(arch, unit), kernel));
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut kernels = Vec::new();
    for (name, kernel) in found {
        kernels.push(kernel.map_err(|error| Error::Device(format!("{name}: {error}")))?);
    }
    kernels.sort_by(|a: &Kernel, b: &Kernel| (&a.target, &a.name).cmp(&(&b.target, &b.name)));
    // A unit that stands twice is one kernel.
    kernels.dedup_by(|a, b| (&a.target, &a.name) == (&b.target, &b.name));
    let (major, minor) = nvrtc.version();
    Ok(Listing {
        compiled: VERSION,
        compiler: Known::Value(format!("NVRTC {major}.{minor}")),
        kernels,
    })
}

fn listed(arch: &str, unit: &Unit, compiled: &Compiled, taken: Taken) -> Kernel {
    fn known<T>(missing: &str, value: Option<T>) -> Known<T> {
        value.map_or_else(|| Known::unavailable(missing), Known::Value)
    }
    let ptx = String::from_utf8_lossy(&compiled.ptx);
    let classes = mix::of_ptx(&ptx).into_iter().map(|(class, n)| (class.to_owned(), n));
    let classes: std::collections::BTreeMap<String, u64> = classes.collect();
    let name = title(arch, unit).split_once(' ').map_or("", |(_, name)| name).to_owned();
    Kernel {
        name,
        target: arch.to_owned(),
        threads: threads(unit) as u64,
        registers: taken.registers,
        spilled_bytes: taken.spilled_bytes,
        local_bytes: taken.local_bytes,
        shared_bytes: taken.shared_bytes,
        instructions: known(
            "the code is no ELF file of one architecture",
            mix::of_machine(&compiled.code),
        ),
        mix: known("the compiler gave no PTX", Some(classes).filter(|_| !ptx.trim().is_empty())),
    }
}
