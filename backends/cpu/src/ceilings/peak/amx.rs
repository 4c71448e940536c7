//! Peaks of AMX, Intel's matrix unit: detected by cpuid, enabled by the kernel on request, used by inline assembly (Rust has no
//! stable intrinsics). Its detection is tested, and its loops on an emulation; no processor with AMX has run this file yet.
//!
//! Registers: tiles 0 to 5 are sums, 6 and 7 operands. A tile is 16 rows of 64 bytes; one multiplication of two tiles is
//! 16 × 16 sums of 64 products of bytes, or 32 products of bf16.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

use yardstick_api::Limit;

use super::Way;

/// Sums of an iteration: six hide a latency of 52 cycles at one multiplication in 16.
const SUMS: u64 = 6;

/// What AMX there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amx {
    int8: bool,
    bf16: bool,
}

/// Of cpuid leaf 7's EDX and XCR0: tiles, their kinds of arithmetic, and an operating system that saves them.
fn features(edx: u32, xcr0: u64) -> Amx {
    let (bf16, tile, int8) = (edx >> 22 & 1, edx >> 24 & 1, edx >> 25 & 1);
    let saved = xcr0 >> 17 & 3 == 3;
    let usable = |kind: u32| saved && tile & kind == 1;
    Amx { int8: usable(int8), bf16: usable(bf16) }
}

fn detect() -> Amx {
    #[target_feature(enable = "xsave")]
    fn xcr0() -> u64 {
        // SAFETY: register 0 exists wherever the operating system enabled XSAVE.
        unsafe { _xgetbv(0) }
    }
    // Bit 27: the operating system uses XSAVE.
    if __cpuid(0).eax < 7 || __cpuid(1).ecx >> 27 & 1 == 0 {
        return Amx::default();
    }
    // SAFETY: bit 27 says that the instruction is there.
    features(__cpuid_count(7, 0).edx, unsafe { xcr0() })
}

/// Linux keeps the tiles of a process switched off until it asks (arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
fn request() -> bool {
    #[cfg(target_os = "linux")]
    {
        let mut result: i64 = 158;
        // SAFETY: the system call changes nothing in memory; rcx and r11 are lost to every system call.
        unsafe {
            asm!("syscall", inout("rax") result, in("rdi") 0x1023, in("rsi") 18,
                out("rcx") _, out("r11") _, options(nostack));
        }
        result == 0
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Asks for int8 tiles for the whole process and says whether there are those of bf16 too, or why there are none.
pub(crate) fn granted() -> Result<bool, String> {
    let amx = detect();
    match (amx.int8, request()) {
        (false, _) => Err("the processor lacks amx-int8".into()),
        (true, false) => Err("the system does not let this process use amx-int8".into()),
        (true, true) => Ok(amx.bf16),
    }
}

/// Ways of the matrix unit, or why there are none.
pub(super) fn ways(limit: Limit) -> Result<Vec<Way>, String> {
    let amx = detect();
    let (there, name, way) = match limit {
        Limit::Int8Matrix => (amx.int8, "amx-int8", INT8),
        _ => (amx.bf16, "amx-bf16", BF16),
    };
    if !there {
        return Err(format!("the processor lacks {name}"));
    }
    if !request() {
        return Err(format!("the system does not let this process use {name}"));
    }
    Ok(vec![way])
}

const INT8: Way = Way {
    label: "int8 AMX",
    how: "tdpbssd on tiles of 16 rows of 64 bytes",
    operations: 16 * 16 * 64 * 2 * SUMS,
    run: |iterations| {
        // One times two, 64 times a step; the sum may wrap.
        let expected = (128 * SUMS as u32).wrapping_mul(iterations as u32);
        // SAFETY: listed only where AMX was detected and granted.
        let sums = unsafe { int8(iterations, &[1; 1024], &[2; 1024]) };
        total(&sums, 0_u32, u32::wrapping_add, |word| word) == vec![expected; 256]
    },
};

const BF16: Way = Way {
    label: "bf16 AMX",
    how: "tdpbf16ps on tiles of 16 rows of 32 bf16",
    operations: 16 * 16 * 32 * 2 * SUMS,
    run: |iterations| {
        // 2^-6 times 1, 32 times a step: half a step, exact up to 2^24 of them.
        let (mut small, mut one) = ([0; 1024], [0; 1024]);
        for i in (0..1024).step_by(2) {
            small[i..i + 2].copy_from_slice(&0.015625_f32.to_le_bytes()[2..]);
            one[i..i + 2].copy_from_slice(&1_f32.to_le_bytes()[2..]);
        }
        // SAFETY: listed only where AMX was detected and granted.
        let sums = unsafe { bf16(iterations, &small, &one) };
        let expected = 0.5 * (iterations * SUMS) as f32;
        total(&sums, 0.0, |a, b| a + b, f32::from_bits) == vec![expected; 256]
    },
};

/// Element-wise sum of the six tiles.
fn total<T: Copy>(
    tiles: &[u8],
    zero: T,
    add: impl Fn(T, T) -> T,
    read: impl Fn(u32) -> T,
) -> Vec<T> {
    let mut sums = vec![zero; 256];
    for (i, bytes) in tiles.chunks_exact(4).enumerate() {
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        sums[i % 256] = add(sums[i % 256], read(word));
    }
    sums
}

/// Tile configuration (Intel SDM, LDTILECFG): palette 1, then columns in bytes from byte 16 and rows from byte 48.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

fn configuration() -> Configuration {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    for tile in 0..8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
    }
    Configuration(bytes)
}

macro_rules! tiles {
    ($name:ident, $multiply:literal) => {
        /// Six tiles of sums, (6, 16, 16) words.
        ///
        /// # Safety
        /// The processor has the tiles and the system has granted them.
        unsafe fn $name(iterations: u64, a: &[u8; 1024], b: &[u8; 1024]) -> Vec<u8> {
            let configuration = configuration();
            let mut out = vec![0_u8; 6 * 1024];
            // SAFETY: tiles of 1024 bytes are read from `a` and `b` and written to `out`.
            unsafe {
                asm!(
                    "ldtilecfg [{configuration}]",
                    "tileloadd tmm6, [{a} + {stride}]",
                    "tileloadd tmm7, [{b} + {stride}]",
                    "tilezero tmm0", "tilezero tmm1", "tilezero tmm2",
                    "tilezero tmm3", "tilezero tmm4", "tilezero tmm5",
                    "2:",
                    concat!($multiply, " tmm0, tmm6, tmm7"),
                    concat!($multiply, " tmm1, tmm6, tmm7"),
                    concat!($multiply, " tmm2, tmm6, tmm7"),
                    concat!($multiply, " tmm3, tmm6, tmm7"),
                    concat!($multiply, " tmm4, tmm6, tmm7"),
                    concat!($multiply, " tmm5, tmm6, tmm7"),
                    "dec {n}",
                    "jnz 2b",
                    "tilestored [{out} + {stride}], tmm0",
                    "tilestored [{out} + {stride} + 1024], tmm1",
                    "tilestored [{out} + {stride} + 2048], tmm2",
                    "tilestored [{out} + {stride} + 3072], tmm3",
                    "tilestored [{out} + {stride} + 4096], tmm4",
                    "tilestored [{out} + {stride} + 5120], tmm5",
                    "tilerelease",
                    configuration = in(reg) &raw const configuration,
                    a = in(reg) a.as_ptr(),
                    b = in(reg) b.as_ptr(),
                    stride = in(reg) 64_usize,
                    out = in(reg) out.as_mut_ptr(),
                    n = inout(reg) iterations => _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
            out
        }
    };
}

tiles!(int8, "tdpbssd");
tiles!(bf16, "tdpbf16ps");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection_needs_the_tiles_the_arithmetic_and_the_system() {
        let (bf16, tile, int8, saved) = (1 << 22, 1 << 24, 1 << 25, 0b110_u64 << 16);
        for (edx, xcr0, expected) in [
            (0, 0, (false, false)),
            (tile | int8 | bf16, saved, (true, true)),
            (tile | int8, saved, (true, false)),
            (tile | bf16, saved, (false, true)),
            (int8 | bf16, saved, (false, false)),
            (tile | int8 | bf16, 1 << 17, (false, false)),
            (tile | int8 | bf16, 0b111, (false, false)),
        ] {
            let found = features(edx, xcr0);
            assert_eq!((found.int8, found.bf16), expected, "{edx:x} {xcr0:x}");
        }
    }

    #[test]
    fn a_processor_without_amx_says_so() {
        for (limit, there) in
            [(Limit::Int8Matrix, detect().int8), (Limit::Bf16Matrix, detect().bf16)]
        {
            match ways(limit) {
                Ok(ways) => assert!(there && ways.len() == 1),
                Err(reason) => assert!(reason.contains("amx"), "{reason}"),
            }
        }
    }

    /// The loops, their sums included, by the instructions: emulated where the processor lacks them.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_ways_give_the_sums_they_should() {
        crate::amx::emulated::install();
        for way in [INT8, BF16] {
            for iterations in [1, 7] {
                // SAFETY: tiles work from here on.
                assert!(unsafe { (way.run)(iterations) }, "{}", way.label);
            }
        }
    }

    #[test]
    fn the_six_tiles_are_added_up() {
        let tiles: Vec<u8> = (0..6 * 256_u32).flat_map(|i| (i / 256).to_le_bytes()).collect();
        assert_eq!(total(&tiles, 0, u32::wrapping_add, |word| word), vec![15; 256]);
    }

    #[test]
    fn all_eight_tiles_are_whole() {
        let Configuration(bytes) = configuration();
        assert_eq!(bytes[0], 1);
        assert_eq!(bytes[16..32], [64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0]);
        assert_eq!(bytes[48..56], [16; 8]);
    }
}
