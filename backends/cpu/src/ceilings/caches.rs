//! Caches of the usable processors, and which level holds a working set. As the system shows them: a virtual machine may
//! be shown an L3 that it shares with strangers.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// Data caches; 0 where there is none or the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caches {
    /// L1 data, bytes per core.
    l1: u64,
    /// L2, bytes per core.
    l2: u64,
    /// L3, bytes over all usable processors.
    l3: u64,
}

/// Where a working set that is read over and over comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    L1,
    L2,
    L3,
    /// At most twice the L3: how much of it hits is the replacement policy's affair.
    Edge,
    Memory,
    Unknown,
}

impl Caches {
    /// Of the processors this thread may use.
    pub(crate) fn detect() -> Caches {
        #[cfg(target_os = "linux")]
        if let Ok(all) = rustix::thread::sched_getaffinity(None) {
            use rustix::thread::CpuSet;
            let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
            return Caches::under(Path::new("/sys/devices/system/cpu"), &usable);
        }
        Caches::default()
    }

    fn under(root: &Path, cpus: &[usize]) -> Caches {
        let mut caches = Caches::default();
        let mut counted = BTreeSet::new();
        for cpu in cpus {
            for index in 0..8 {
                let folder = root.join(format!("cpu{cpu}/cache/index{index}"));
                let read = |name: &str| {
                    std::fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned())
                };
                let (Ok(level), Ok(size), Ok(kind)) = (read("level"), read("size"), read("type"))
                else {
                    break;
                };
                let Some(size) = bytes(&size).filter(|_| kind != "Instruction") else { continue };
                match level.as_str() {
                    "1" => caches.l1 = caches.l1.max(size),
                    "2" => caches.l2 = caches.l2.max(size),
                    // One L3 is shared by several processors.
                    "3" if counted.insert(read("shared_cpu_list").unwrap_or_default()) => {
                        caches.l3 = caches.l3.saturating_add(size);
                    }
                    _ => {}
                }
            }
        }
        caches
    }

    /// Where `threads` threads find a working set of which each reads its own part.
    pub(crate) fn level(&self, bytes: u64, threads: usize) -> Level {
        let part = bytes.div_ceil(threads.max(1) as u64);
        if self.l1 == 0 || self.l2 == 0 {
            Level::Unknown
        } else if part <= self.l1 {
            Level::L1
        } else if part <= self.l2 {
            Level::L2
        } else if bytes <= self.l3 {
            Level::L3
        } else if bytes <= self.l3.saturating_mul(2) {
            Level::Edge
        } else {
            Level::Memory
        }
    }
}

/// `48K`, `32768K`, `4M`.
fn bytes(text: &str) -> Option<u64> {
    let (digits, factor) = match text.chars().last()? {
        'K' => (&text[..text.len() - 1], 1 << 10),
        'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::L1 => "L1",
            Level::L2 => "L2",
            Level::L3 => "L3",
            Level::Edge => "L3 and memory",
            Level::Memory => "memory",
            Level::Unknown => "level unknown",
        })
    }
}

impl fmt::Display for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Caches::default() {
            return write!(f, "the system does not tell its caches");
        }
        let (l1, l2, l3) = (self.l1 >> 10, self.l2 >> 10, self.l3 >> 20);
        write!(f, "L1 {l1} KiB and L2 {l2} KiB a core, L3 {l3} MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHES: Caches = Caches { l1: 48 << 10, l2: 1 << 20, l3: 32 << 20 };

    #[test]
    fn the_level_follows_the_part_of_a_thread_and_the_shared_cache() {
        for (bytes, threads, level) in [
            (16 << 10, 1, Level::L1),
            (96 << 10, 2, Level::L1),
            (96 << 10, 1, Level::L2),
            (2 << 20, 2, Level::L2),
            (2 << 20, 1, Level::L3),
            (32 << 20, 2, Level::L3),
            (40 << 20, 2, Level::Edge),
            (65 << 20, 2, Level::Memory),
            (u64::MAX, 0, Level::Memory),
        ] {
            assert_eq!(CACHES.level(bytes, threads), level, "{bytes} by {threads}");
        }
        assert_eq!(Caches::default().level(1, 1), Level::Unknown);
    }

    #[test]
    fn shared_caches_count_once_and_instruction_caches_not_at_all() {
        let folder = std::env::temp_dir().join(format!("yardstick-caches-{}", std::process::id()));
        for (cpu, shared) in [(0, "0-1"), (1, "0-1"), (2, "2-3")] {
            for (index, (level, kind, size)) in [
                ("1", "Data", "48K"),
                ("1", "Instruction", "64K"),
                ("2", "Unified", "1024K"),
                ("3", "Unified", "16M"),
            ]
            .into_iter()
            .enumerate()
            {
                let folder = folder.join(format!("cpu{cpu}/cache/index{index}"));
                std::fs::create_dir_all(&folder).unwrap();
                for (name, text) in
                    [("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)]
                {
                    std::fs::write(folder.join(name), format!("{text}\n")).unwrap();
                }
            }
        }
        let caches = Caches::under(&folder, &[0, 1, 2]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(caches, CACHES);
        assert_eq!(Caches::under(Path::new("/nowhere"), &[0]), Caches::default());
    }
}
