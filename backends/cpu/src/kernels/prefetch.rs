//! Hints to the processor's caches: one address, and what a row kernel that reads one long stream asks for ahead of itself.

/// Asks for the cache line of an address, good or not, to come as near as the L2: an L1 has few places to wait for memory in,
/// and with all of them taken by what comes later, what is needed now waits (Zen 4, attention, two threads: 22 GB/s, into the L2 29).
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; SSE is part of every x86-64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Stream, each_line};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__cpuid, CpuidResult};
    use std::sync::LazyLock;

    use super::prefetch;

    /// AMD's family of Zen 3 and Zen 4.
    const ZEN_4: u32 = 0x19;

    /// Whether every line is asked for, or what the processor finds by itself is left to it.
    ///
    /// Zen 4's own prefetchers all but reach the read rate of one stream, and hints are in their way: of 32.5 GB/s that one thread
    /// can read there, Q4_0 reaches 30.5 with a hint a chunk and 27.1 with one a line, Q4_K 30.8 and 28.3, Q6_K 29.8 and 26.7.
    /// Those of Zen 5 do not follow a kernel that works between its loads: of 43 GB/s Q4_K reaches 18.8 and 38.6, Q6_K 17.4 and
    /// 38.7, F16 row by row 17.6 and 38.5. What nobody measured gets a hint a line: where it is not needed it costs less than it
    /// brings where it is.
    static EACH_LINE: LazyLock<bool> = LazyLock::new(|| asks(__cpuid(0), __cpuid(1).eax));

    /// Whether row kernels ask for every line here.
    pub(crate) fn each_line() -> bool {
        *EACH_LINE
    }

    /// By cpuid's leaf 0, and the processor's signature in leaf 1's EAX.
    fn asks(vendor: CpuidResult, signature: u32) -> bool {
        let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        let (base, extended) = (signature >> 8 & 0xF, signature >> 20 & 0xFF);
        let family = if base == 0xF { base + extended } else { base };
        !(name.as_flattened() == b"AuthenticAMD" && family == ZEN_4)
    }

    /// What is asked for ahead of a kernel that reads from start to end.
    #[derive(Clone, Copy)]
    pub(crate) struct Stream {
        /// The next place to hint from.
        next: *const u8,
        step: usize,
        ahead: usize,
    }

    impl Stream {
        /// From `start` on; where not every line is asked for, one hint every `sparse` bytes, or none for 0.
        #[inline(always)]
        pub(crate) fn new(start: *const u8, sparse: usize) -> Stream {
            // Far enough that memory answers in time, near enough that the L2 still has it: on Zen 5 4096 reaches 35 GB/s in Q4_K,
            // 8192 38, 16384 35. The sparse ones carry the processor's own prefetchers over the ends of pages.
            match (each_line(), sparse) {
                (true, _) => Stream { next: start, step: 64, ahead: 8192 },
                (false, 0) => Stream { next: std::ptr::null(), step: 0, ahead: 0 },
                (false, step) => Stream { next: start, step, ahead: 4096 },
            }
        }

        /// The kernel is about to read as far as `end`.
        #[inline(always)]
        pub(crate) fn until(&mut self, end: *const u8) {
            while self.step > 0 && self.next < end {
                prefetch(self.next.wrapping_add(self.ahead));
                self.next = self.next.wrapping_add(self.step);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn vendor(name: &[u8; 12]) -> CpuidResult {
            let word = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| name[i * 4 + byte]));
            CpuidResult { eax: 16, ebx: word(0), edx: word(1), ecx: word(2) }
        }

        #[test]
        fn zen_4_alone_is_left_to_its_own_prefetchers() {
            let amd = vendor(b"AuthenticAMD");
            for (vendor, signature, wanted) in [
                (amd, 0x00A1_0F11, false),
                (amd, 0x00B0_0F21, true),
                (amd, 0x0083_0F10, true),
                (vendor(b"GenuineIntel"), 0x000C_06F2, true),
                (vendor(b"GenuineIntel"), 0x00A1_0F11, true),
            ] {
                assert_eq!(asks(vendor, signature), wanted, "{signature:#x}");
            }
        }
    }
}
