//! Peaks of x86-64 vectors: twelve independent sums, enough to hide a latency of four cycles at two to three instructions a
//! cycle. Registers: 0 to 11 sums, 12 scratch, 13 a constant, 14 and 15 the operands.

use std::arch::asm;

use yardstick_api::Limit;

use super::Way;

/// Sums of an iteration.
const SUMS: u64 = 12;

/// One line for each sum: its number goes between the pieces.
macro_rules! each {
    ($a:expr, $b:expr) => {
        each!($a, $b, "", "")
    };
    ($a:expr, $b:expr, $c:expr) => {
        concat!(
            $a, "0", $b, "0", $c, "\n", $a, "1", $b, "1", $c, "\n", $a, "2", $b, "2", $c, "\n", $a,
            "3", $b, "3", $c, "\n", $a, "4", $b, "4", $c, "\n", $a, "5", $b, "5", $c, "\n", $a,
            "6", $b, "6", $c, "\n", $a, "7", $b, "7", $c, "\n", $a, "8", $b, "8", $c, "\n", $a,
            "9", $b, "9", $c, "\n", $a, "10", $b, "10", $c, "\n", $a, "11", $b, "11", $c, "\n"
        )
    };
    ($a:expr, $b:expr, "", "") => {
        concat!(
            $a, "0", $b, "\n", $a, "1", $b, "\n", $a, "2", $b, "\n", $a, "3", $b, "\n", $a, "4",
            $b, "\n", $a, "5", $b, "\n", $a, "6", $b, "\n", $a, "7", $b, "\n", $a, "8", $b, "\n",
            $a, "9", $b, "\n", $a, "10", $b, "\n", $a, "11", $b, "\n"
        )
    };
}

/// A function that runs `$body` for every sum in a loop, adds the sums with `$add` and returns the lanes of the total.
macro_rules! looped {
    ($name:ident, $features:literal, $register:literal, $add:literal, $body:expr) => {
        #[target_feature(enable = $features)]
        fn $name(iterations: u64, [a, b, c]: [&[u8; 64]; 3]) -> [u8; 64] {
            let mut out = [0_u8; 64];
            // SAFETY: the operands are 64 bytes, the widest register; `out` is written whole or in half.
            unsafe {
                asm!(
                    concat!("vmovups ", $register, "13, [{c}]"),
                    concat!("vmovups ", $register, "14, [{a}]"),
                    concat!("vmovups ", $register, "15, [{b}]"),
                    "vpxor xmm12, xmm12, xmm12",
                    each!(concat!("vmovaps ", $register), concat!(", ", $register, "12")),
                    "2:",
                    $body,
                    "dec {n}",
                    "jnz 2b",
                    "vpxor xmm12, xmm12, xmm12",
                    each!(concat!($add, " ", $register, "12, ", $register, "12, ", $register), ""),
                    concat!("vmovups [{out}], ", $register, "12"),
                    a = in(reg) a.as_ptr(),
                    b = in(reg) b.as_ptr(),
                    c = in(reg) c.as_ptr(),
                    out = in(reg) out.as_mut_ptr(),
                    n = inout(reg) iterations => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    options(nostack),
                );
            }
            out
        }
    };
}

looped!(fma512, "avx512f", "zmm", "vaddps", each!("vfmadd231ps zmm", ", zmm14, zmm15"));
looped!(fma256, "avx2,fma", "ymm", "vaddps", each!("vfmadd231ps ymm", ", ymm14, ymm15"));
looped!(vnni512, "avx512f,avx512vnni", "zmm", "vpaddd", each!("vpdpbusd zmm", ", zmm14, zmm15"));
looped!(
    vnni256,
    "avx512f,avx512vnni,avx512vl",
    "ymm",
    "vpaddd",
    each!("{{evex}} vpdpbusd ymm", ", ymm14, ymm15")
);
looped!(
    avx_vnni256,
    "avx2,avxvnni",
    "ymm",
    "vpaddd",
    each!("{{vex}} vpdpbusd ymm", ", ymm14, ymm15")
);
// What a processor without VNNI takes three instructions for; the sixteen-bit sums of pairs must not overflow.
looped!(
    maddubs256,
    "avx2",
    "ymm",
    "vpaddd",
    each!(
        "vpmaddubsw ymm12, ymm14, ymm15\nvpmaddwd ymm12, ymm12, ymm13\nvpaddd ymm",
        ", ymm12, ymm",
        ""
    )
);
looped!(bf16_512, "avx512f,avx512bf16", "zmm", "vaddps", each!("vdpbf16ps zmm", ", zmm14, zmm15"));

/// Ways of `cpu:avx512-vnni`. Matrix units are no part of the proof and are looked for apart.
pub(super) fn avx512(limit: Limit) -> Result<Vec<Way>, String> {
    Ok(match limit {
        Limit::Int8 => vec![
            way("int8 VNNI", "vpdpbusd on 64-byte vectors", 128, |n| check_int(n, 64, vnni512)),
            way("int8 VNNI", "vpdpbusd on 32-byte vectors", 64, |n| check_int(n, 32, vnni256)),
        ],
        Limit::F32 => {
            vec![way("f32 FMA", "vfmadd231ps on 64-byte vectors", 32, |n| check_f32(n, 64, fma512))]
        }
        Limit::Bf16 if std::arch::is_x86_feature_detected!("avx512bf16") => {
            vec![way("bf16", "vdpbf16ps on 64-byte vectors", 64, |n| check_bf16(n, bf16_512))]
        }
        Limit::Bf16 => return Err("the processor lacks avx512bf16".into()),
        Limit::Int8Matrix | Limit::Bf16Matrix => return super::amx::ways(limit),
        _ => Vec::new(),
    })
}

/// Ways of `cpu:avx-vnni`.
pub(super) fn avx_vnni(limit: Limit) -> Result<Vec<Way>, String> {
    match limit {
        Limit::Int8 => Ok(vec![way("int8 AVX-VNNI", "vpdpbusd on 32-byte vectors", 64, |n| {
            check_int(n, 32, avx_vnni256)
        })]),
        _ => avx2(limit),
    }
}

/// Ways of `cpu:avx2`.
pub(super) fn avx2(limit: Limit) -> Result<Vec<Way>, String> {
    Ok(match limit {
        Limit::Int8 => {
            vec![way("int8 AVX2", "vpmaddubsw, vpmaddwd, vpaddd on 32-byte vectors", 64, |n| {
                check_int(n, 32, maddubs256)
            })]
        }
        Limit::F32 => {
            vec![way("f32 FMA", "vfmadd231ps on 32-byte vectors", 16, |n| check_f32(n, 32, fma256))]
        }
        _ => Vec::new(),
    })
}

fn way(
    label: &'static str,
    how: &'static str,
    operations: u64,
    run: unsafe fn(u64) -> bool,
) -> Way {
    Way { label, how, operations: operations * SUMS, run }
}

type Loop = unsafe fn(u64, [&[u8; 64]; 3]) -> [u8; 64];

/// Bytes that differ from lane to lane; sums of two products fit 16 bits, so that AVX2 does not saturate.
fn check_int(iterations: u64, bytes: usize, run: Loop) -> bool {
    let a: [u8; 64] = std::array::from_fn(|i| (i * 37 % 120) as u8);
    let b: [u8; 64] = std::array::from_fn(|i| (i * 53 % 251) as u8);
    let ones: [u8; 64] = std::array::from_fn(|i| (i % 2 == 0) as u8);
    // SAFETY: only listed ways get here.
    let out = unsafe { run(iterations, [&a, &b, &ones]) };
    (0..bytes).step_by(4).all(|i| {
        let dot: i32 = (i..i + 4).map(|j| i32::from(a[j]) * i32::from(b[j] as i8)).sum();
        let sum = dot.wrapping_mul(iterations as i32).wrapping_mul(SUMS as i32);
        word(&out, i) == sum as u32
    })
}

/// Powers of two: sums up to 2^24 times the smallest are exact.
fn check_f32(iterations: u64, bytes: usize, run: Loop) -> bool {
    let mut a = [0_u8; 64];
    let factor = |i: usize| f32::from(1_u16 << (i / 4 % 5));
    (0..64).step_by(4).for_each(|i| a[i..i + 4].copy_from_slice(&factor(i).to_le_bytes()));
    // SAFETY: only listed ways get here.
    let out = unsafe { run(iterations, [&a, &a, &a]) };
    let sum = |i| factor(i) * factor(i) * (iterations * SUMS) as f32;
    (0..bytes).step_by(4).all(|i| f32::from_bits(word(&out, i)) == sum(i))
}

/// As above; two products a lane.
fn check_bf16(iterations: u64, run: Loop) -> bool {
    let mut a = [0_u8; 64];
    let factor = |i: usize| f32::from(1_u16 << (i / 2 % 3));
    // A bf16 is the upper half of an f32.
    (0..64).step_by(2).for_each(|i| a[i..i + 2].copy_from_slice(&factor(i).to_le_bytes()[2..]));
    // SAFETY: only listed ways get here.
    let out = unsafe { run(iterations, [&a, &a, &a]) };
    let sum = |i| {
        let pair = factor(i) * factor(i) + factor(i + 2) * factor(i + 2);
        pair * (iterations * SUMS) as f32
    };
    (0..64).step_by(4).all(|i| f32::from_bits(word(&out, i)) == sum(i))
}

fn word(out: &[u8; 64], at: usize) -> u32 {
    u32::from_le_bytes([out[at], out[at + 1], out[at + 2], out[at + 3]])
}
