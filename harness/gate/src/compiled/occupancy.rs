//! How many blocks of a kernel a processor of a GPU holds at once.
//!
//! Source: NVIDIA, CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"; registers are handed out to warps
//! in units of 256.

use yardstick_api::compiled::Kernel;

/// Registers of a processor, and the unit in which a warp gets them.
const REGISTERS: u64 = 65_536;
const UNIT: u64 = 256;
const WARP: u64 = 32;

/// Of a processor: threads, blocks, bytes of shared memory, bytes of it that a block takes for itself.
fn limits(target: &str) -> Option<(u64, u64, u64, u64)> {
    const KIB: u64 = 1024;
    Some(match target {
        "sm_75" => (1024, 16, 64 * KIB, 0),
        "sm_86" => (1536, 16, 100 * KIB, KIB),
        "sm_89" => (1536, 24, 100 * KIB, KIB),
        "sm_90" | "sm_100" => (2048, 32, 228 * KIB, KIB),
        "sm_120" => (1536, 24, 100 * KIB, KIB),
        _ => return None,
    })
}

/// Blocks at once; `None` for a target that is not known here. Shared memory that a launch adds is not in it.
pub(super) fn blocks(kernel: &Kernel) -> Option<u64> {
    let (threads, most, shared, own) = limits(&kernel.target)?;
    let warps = kernel.threads.div_ceil(WARP).max(1);
    let registers = (kernel.registers.max(1) * WARP).div_ceil(UNIT) * UNIT * warps;
    let by_threads = threads / (warps * WARP);
    let by_shared = shared / (kernel.shared_bytes + own).max(1);
    Some(most.min(by_threads).min(REGISTERS / registers).min(by_shared))
}

#[cfg(test)]
mod tests {
    use super::*;
    use yardstick_api::Known;

    #[test]
    fn registers_threads_and_shared_memory_bound_the_blocks() {
        let blocks = |target: &str, threads, registers, shared_bytes| {
            blocks(&Kernel {
                name: "f".to_owned(),
                target: target.to_owned(),
                threads,
                registers,
                spilled_bytes: 0,
                local_bytes: 0,
                shared_bytes,
                instructions: Known::unavailable("test"),
                mix: Known::unavailable("test"),
            })
        };
        // NVIDIA's occupancy calculator: 256 threads of 32 registers fill Hopper's 2048 threads; 65 registers allow 3 blocks.
        assert_eq!(blocks("sm_90", 256, 32, 0), Some(8));
        assert_eq!(blocks("sm_90", 256, 64, 0), Some(4));
        assert_eq!(blocks("sm_90", 256, 65, 0), Some(3));
        assert_eq!(blocks("sm_90", 128, 32, 48 << 10), Some(4));
        assert_eq!(blocks("sm_75", 256, 32, 0), Some(4));
        assert_eq!(blocks("sm_1", 256, 32, 0), None);
    }
}
