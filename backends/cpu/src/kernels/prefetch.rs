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

/// Bytes that hints for every line run ahead of a row kernel: far enough that memory answers in time, near enough not to be driven
/// out again, and no whole multiple of 4 KiB, whose lines share the sets of those that are read. Q4_K on Zen 5: 1024 bytes 31 GB/s,
/// 4096 37, 8192 and 12288 38.5; on a calmer day 6144 40.5 and 7168 41.4.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 7168;

/// Bytes of a stream that are asked for before it begins, where the processor's prefetchers take it up from there.
const FIRST: usize = 2048;

/// Bytes of a stream that are asked for before it begins: those that a kernel's own hints come too late for.
pub(crate) fn beginning() -> usize {
    #[cfg(target_arch = "x86_64")]
    if hints() != FEW {
        return AHEAD;
    }
    FIRST
}

/// A hint a chunk, or none: the processor's own prefetchers do the rest.
pub(crate) const FEW: u8 = 0;
/// A hint for every line, into the L1.
pub(crate) const NEAR: u8 = 1;
/// And as what is read once, so that it leaves the L2 to what is read again.
pub(crate) const ONCE: u8 = 2;

/// What kernels ask of this processor while they read a long stream: [`FEW`], [`NEAR`] or [`ONCE`].
#[inline]
pub(crate) fn hints() -> u8 {
    #[cfg(target_arch = "x86_64")]
    return x86::hints();
    #[cfg(not(target_arch = "x86_64"))]
    FEW
}

/// Asks for a line of the next keys and values. Into the L1 on Zen 5, where attention of four heads so reads 40.5 GB/s, and 39.1 with
/// hints into the L2; Zen 4 ([`FEW`]) is the other way round, see [`prefetch`]. As what is read once ([`ONCE`]) a token of
/// llama-3.2-1b:Q4_0 4096 to 7600 deep takes 0.26 to 0.53 ms less of 22 to 25 (by turns of 16 tokens in one session), though attention
/// itself reads only 0 to 2 % faster.
#[inline(always)]
pub(crate) fn ask_next<const HINTS: u8>(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    if HINTS != FEW {
        return ask::<HINTS>(at, 1);
    }
    prefetch(at);
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{ask, stream};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__cpuid, _MM_HINT_NTA, _MM_HINT_T0, _mm_prefetch, CpuidResult};
    use std::sync::LazyLock;

    use super::{AHEAD, FEW, NEAR, ONCE};

    /// AMD's family of Zen 3 and Zen 4.
    const ZEN_4: u32 = 0x19;
    /// And of Zen 5.
    const ZEN_5: u32 = 0x1A;

    static HINTS: LazyLock<u8> = LazyLock::new(|| wanted(__cpuid(0), __cpuid(1).eax));

    /// See [`super::hints`].
    ///
    /// Zen 4's own prefetchers all but reach the read rate of one stream, and hints are in their way: of 32.5 GB/s that one thread
    /// can read there, Q4_0 reaches 30.5 with a hint a chunk and 27.1 with one a line, Q4_K 30.8 and 28.3, Q6_K 29.8 and 26.7.
    /// Those of Zen 5 do not follow a kernel that works between its loads: of 43 GB/s Q4_K reaches 18.8 and 38.5, Q6_K 17.4 and
    /// 39.8, F16 row by row 17.6 and 38.5. There [`ONCE`] reads as fast as [`NEAR`], also from the L3, and what else a step reads
    /// stays in the caches: llama-3.2-1b:Q4_K_M by turns 46.3 instead of 44.9 tokens/s, two threads 55.0 instead of 49.8.
    ///
    /// What nobody measured asks into the L1: where that is not needed it costs less than it brings where it is. Not once:
    /// on a Sapphire Rapids others saw such hints halve the rate, and Intel's servers keep such a line out of the L3.
    #[inline]
    pub(super) fn hints() -> u8 {
        *HINTS
    }

    /// By cpuid's leaf 0, and the processor's signature in leaf 1's EAX.
    fn wanted(vendor: CpuidResult, signature: u32) -> u8 {
        let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        let (base, extended) = (signature >> 8 & 0xF, signature >> 20 & 0xFF);
        let family = if base == 0xF { base + extended } else { base };
        match (name.as_flattened(), family) {
            (b"AuthenticAMD", ZEN_4) => FEW,
            (b"AuthenticAMD", ZEN_5..) => ONCE,
            _ => NEAR,
        }
    }

    /// Asks for what a kernel reads after it has read on from `at` for [`AHEAD`] bytes: so many lines of it; not with [`FEW`]. Into
    /// the L1, which on Zen 5 brings Q8_0 to 36.9 GB/s and Q6_K to 39.8, into the L2 35.7 and 37.9.
    #[inline(always)]
    pub(crate) fn stream<const HINTS: u8>(at: *const u8, lines: usize) {
        ask::<HINTS>(at.wrapping_add(AHEAD), lines);
    }

    /// Asks for so many lines; not with [`FEW`].
    #[inline(always)]
    pub(crate) fn ask<const HINTS: u8>(at: *const u8, lines: usize) {
        for line in 0..lines {
            let at = at.wrapping_add(line * 64).cast();
            // SAFETY: a hint, good or not; SSE is part of every x86-64.
            unsafe {
                match HINTS {
                    NEAR => _mm_prefetch::<_MM_HINT_T0>(at),
                    ONCE => _mm_prefetch::<_MM_HINT_NTA>(at),
                    _ => {}
                }
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
        fn each_processor_is_asked_as_it_was_measured() {
            let amd = vendor(b"AuthenticAMD");
            for (vendor, signature, wanted) in [
                (amd, 0x00A1_0F11, FEW),
                (amd, 0x00B0_0F21, ONCE),
                (amd, 0x0083_0F10, NEAR),
                (vendor(b"GenuineIntel"), 0x000C_06F2, NEAR),
                (vendor(b"GenuineIntel"), 0x00A1_0F11, NEAR),
            ] {
                assert_eq!(super::wanted(vendor, signature), wanted, "{signature:#x}");
            }
        }
    }
}
