//! Peaks of aarch64 vectors: NEON, dot products, 8-bit and bf16 matrix products. Compiled, never run: no such machine was at
//! hand. The sums check themselves, so a mistake shows as `computed wrong sums` and not as a number.

use std::arch::asm;

use yardstick_api::Limit;

use super::Way;

/// Sums of an iteration: registers 0 to 15; 16 and 17 are the operands, 18 and 19 scratch.
const SUMS: u64 = 16;

macro_rules! each {
    ($a:literal, $b:literal) => {
        concat!(
            $a, "0", $b, "\n", $a, "1", $b, "\n", $a, "2", $b, "\n", $a, "3", $b, "\n", $a, "4",
            $b, "\n", $a, "5", $b, "\n", $a, "6", $b, "\n", $a, "7", $b, "\n", $a, "8", $b, "\n",
            $a, "9", $b, "\n", $a, "10", $b, "\n", $a, "11", $b, "\n", $a, "12", $b, "\n", $a,
            "13", $b, "\n", $a, "14", $b, "\n", $a, "15", $b, "\n"
        )
    };
}

macro_rules! looped {
    ($name:ident, $arch:literal, $add:expr, $body:expr) => {
        /// # Safety
        /// The processor has the instructions.
        unsafe fn $name(iterations: u64, a: &[u8; 16], b: &[u8; 16]) -> [u8; 16] {
            let mut out = [0_u8; 16];
            // SAFETY: reads 16 bytes of each operand and writes 16.
            unsafe {
                asm!(
                    concat!(".arch_extension ", $arch),
                    "ldr q16, [{a}]",
                    "ldr q17, [{b}]",
                    each!("movi v", ".16b, #0"),
                    "2:",
                    $body,
                    "subs {n}, {n}, #1",
                    "b.ne 2b",
                    "movi v18.16b, #0",
                    $add,
                    "str q18, [{out}]",
                    a = in(reg) a.as_ptr(),
                    b = in(reg) b.as_ptr(),
                    out = in(reg) out.as_mut_ptr(),
                    n = inout(reg) iterations => _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _,
                    out("v5") _, out("v6") _, out("v7") _, out("v8") _, out("v9") _,
                    out("v10") _, out("v11") _, out("v12") _, out("v13") _, out("v14") _,
                    out("v15") _, out("v16") _, out("v17") _, out("v18") _,
                    options(nostack),
                );
            }
            out
        }
    };
}

looped!(
    fma,
    "simd",
    each!("fadd v18.4s, v18.4s, v", ".4s"),
    each!("fmla v", ".4s, v16.4s, v17.4s")
);
looped!(
    dot,
    "dotprod",
    each!("add v18.4s, v18.4s, v", ".4s"),
    each!("sdot v", ".4s, v16.16b, v17.16b")
);
looped!(
    matrix,
    "i8mm",
    each!("add v18.4s, v18.4s, v", ".4s"),
    each!("smmla v", ".4s, v16.16b, v17.16b")
);
looped!(
    bf16_matrix,
    "bf16",
    each!("fadd v18.4s, v18.4s, v", ".4s"),
    each!("bfmmla v", ".4s, v16.8h, v17.8h")
);

/// Ways of this processor.
pub(super) fn ways(limit: Limit) -> Result<Vec<Way>, String> {
    use std::arch::is_aarch64_feature_detected as has;
    let (there, feature, way) = match limit {
        Limit::F32 => (has!("neon"), "neon", FMA),
        Limit::Int8 => (has!("dotprod"), "dotprod", DOT),
        Limit::Int8Matrix => (has!("i8mm"), "i8mm", MATRIX),
        Limit::Bf16Matrix => (has!("bf16"), "bf16", BF16_MATRIX),
        _ => return Ok(Vec::new()),
    };
    match there {
        true => Ok(vec![way]),
        false => Err(format!("the processor lacks {feature}")),
    }
}

const FMA: Way = Way {
    label: "f32 NEON",
    how: "fmla on 16-byte vectors",
    operations: 8 * SUMS,
    run: |n| {
        let one: [u8; 16] = std::array::from_fn(|i| 1_f32.to_le_bytes()[i % 4]);
        // SAFETY: listed only where it was detected.
        floats(unsafe { fma(n, &one, &one) }, (n * SUMS) as f32)
    },
};
const DOT: Way = Way {
    label: "int8 dotprod",
    how: "sdot on 16-byte vectors",
    operations: 32 * SUMS,
    // SAFETY: listed only where it was detected. Four products of 3 × -2.
    run: |n| ints(unsafe { dot(n, &[3; 16], &[254; 16]) }, n, -24),
};
const MATRIX: Way = Way {
    label: "int8 i8mm",
    how: "smmla on 2 × 8 by 8 × 2 bytes",
    operations: 64 * SUMS,
    // SAFETY: listed only where it was detected. Eight products of 3 × -2.
    run: |n| ints(unsafe { matrix(n, &[3; 16], &[254; 16]) }, n, -48),
};
const BF16_MATRIX: Way = Way {
    label: "bf16 matrix",
    how: "bfmmla on 2 × 4 by 4 × 2 bf16",
    operations: 32 * SUMS,
    run: |n| {
        let one: [u8; 16] = std::array::from_fn(|i| 1_f32.to_le_bytes()[2 + i % 2]);
        // SAFETY: listed only where it was detected. Four products of 1.
        floats(unsafe { bf16_matrix(n, &one, &one) }, (4 * n * SUMS) as f32)
    },
};

fn ints(out: [u8; 16], iterations: u64, each: i32) -> bool {
    let expected = each.wrapping_mul(iterations as i32).wrapping_mul(SUMS as i32);
    out.chunks_exact(4)
        .all(|word| i32::from_le_bytes([word[0], word[1], word[2], word[3]]) == expected)
}

fn floats(out: [u8; 16], expected: f32) -> bool {
    out.chunks_exact(4)
        .all(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]) == expected)
}
