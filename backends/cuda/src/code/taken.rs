//! What a kernel takes of a processor, as the compiler's log says.

/// Of one kernel for one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Registers of a thread.
    pub registers: u64,
    /// Shared memory of a block, bytes.
    pub shared_bytes: u64,
    /// Bytes a thread stores because registers ran out.
    pub spilled_bytes: u64,
    /// Local memory of a thread, bytes: spills, and arrays that are indexed at run time.
    pub local_bytes: u64,
}

impl Taken {
    /// Reads the log of `--ptxas-options=-v`; `None` where it does not tell.
    pub fn read(log: &str) -> Option<Taken> {
        let before = |word: &str| -> Option<u64> {
            let text = &log[..log.find(word)?];
            text.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
        };
        Some(Taken {
            registers: before(" registers")?,
            shared_bytes: before(" bytes smem").unwrap_or(0),
            spilled_bytes: before(" bytes spill stores")?,
            local_bytes: before(" bytes stack frame")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_log_is_read() {
        let log = "ptxas info    : 0 bytes gmem\nptxas         .     16 bytes stack frame, 8 bytes spill stores, 4 bytes spill \
                   loads\nptxas info    : Used 96 registers, used 1 barriers, 18432 bytes smem";
        let taken =
            Taken { registers: 96, shared_bytes: 18_432, spilled_bytes: 8, local_bytes: 16 };
        assert_eq!(Taken::read(log), Some(taken));
        assert_eq!(Taken::read("nothing"), None);
    }
}
