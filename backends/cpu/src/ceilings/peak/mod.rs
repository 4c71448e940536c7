//! Arithmetic peaks: multiplications and additions per second with all operands in registers, per instruction. A product and
//! its addition are two operations. Each way checks its sums, so that no operation can have been left out.
//!
//! The loops are inline assembly: a compiler may move a multiplication of unchanging operands out of a loop, and there would be
//! nothing to notice it by but a speed too good to be true.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::atomic::{AtomicBool, Ordering};

use yardstick_api::{Known, Limit, Reached, Round};

use super::{BUDGET, ROUND, fastest, repeat, timed};
use crate::kernels::Isa;
use crate::pool::Pool;

/// One way to compute: an instruction of a proven instruction set.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The arithmetic: `int8 VNNI`.
    label: &'static str,
    /// The instructions.
    how: &'static str,
    /// Multiplications and additions of one iteration.
    operations: u64,
    /// Runs so many iterations (at most [`MOST`]) and says whether the sums are right.
    ///
    /// # Safety
    /// The processor has the instructions: ways are listed only where that is proven.
    run: unsafe fn(iterations: u64) -> bool,
}

/// Iterations after which the f32 sums of a way are still exact.
const MOST: u64 = 1 << 18;

/// The best over the ways an instruction set has.
pub(super) fn measure(mut pool: Pool, isa: Isa, limit: Limit) -> Result<Reached, String> {
    let ways = ways(isa, limit)?;
    let mut best: Option<Reached> = None;
    for way in ways {
        let calls = calibrate(&mut pool, way)?;
        let rounds = repeat(BUDGET, || round(&mut pool, way, calls))?;
        let value = fastest(&rounds);
        if best.as_ref().is_none_or(|best| value > best.value) {
            best = Some(Reached {
                value,
                threads: Known::Value(pool.threads()),
                label: way.label.to_owned(),
                how: way.how.to_owned(),
                rounds,
            });
        }
    }
    best.ok_or_else(|| format!("no instruction of {} does {limit}", isa.name()))
}

/// Calls of [`MOST`] iterations that fill a round.
fn calibrate(pool: &mut Pool, way: Way) -> Result<u64, String> {
    // The first call is slower: wide units are powered up.
    round(pool, way, 1)?;
    let once = round(pool, way, 1)?.nanoseconds.max(1);
    Ok((ROUND.as_nanos() as u64).div_ceil(once))
}

fn round(pool: &mut Pool, way: Way, calls: u64) -> Result<Round, String> {
    let wrong = AtomicBool::new(false);
    let amount = calls * MOST * way.operations * pool.threads() as u64;
    let round = timed(pool, amount, |_| {
        for _ in 0..calls {
            // SAFETY: listed, so proven.
            if !unsafe { (way.run)(MOST) } {
                wrong.store(true, Ordering::Relaxed);
            }
        }
    })?;
    match wrong.into_inner() {
        true => Err(format!("{} computed wrong sums", way.how)),
        false => Ok(round),
    }
}

/// The ways an instruction set has, or why there are none.
fn ways(isa: Isa, limit: Limit) -> Result<Vec<Way>, String> {
    let found = match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => x86::avx512(limit),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(avx2) if avx2.vnni() => x86::avx_vnni(limit),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => x86::avx2(limit),
        // NEON belongs to every aarch64 processor, so plain Rust uses it.
        #[cfg(target_arch = "aarch64")]
        Isa::Scalar | Isa::Dotprod(_) => arm::ways(limit),
        _ => Err("plain Rust has no instructions of its own whose peak could be measured".into()),
    }?;
    match found.is_empty() {
        true => Err(format!("{} has no instructions for {limit}", isa.name())),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Limit; 6] =
        [Limit::Int8, Limit::Bf16, Limit::F16, Limit::F32, Limit::Int8Matrix, Limit::Bf16Matrix];

    #[test]
    fn every_way_computes_right_sums_for_any_count() {
        for isa in Isa::usable() {
            for way in ALL.iter().flat_map(|&limit| ways(isa, limit).unwrap_or_default()) {
                for iterations in [1, 2, 3, 1000, MOST] {
                    // SAFETY: listed, so proven.
                    assert!(unsafe { (way.run)(iterations) }, "{way:?} {iterations}");
                }
            }
        }
    }

    #[test]
    fn wrong_sums_are_an_error() {
        let mut pool = Pool::new(2).unwrap();
        let way = Way { label: "x", how: "nothing", operations: 1, run: |_| false };
        assert!(round(&mut pool, way, 1).unwrap_err().contains("wrong sums"));
    }

    #[test]
    fn wider_instructions_are_not_slower() {
        let reach =
            |isa| measure(Pool::new(1).unwrap(), isa, Limit::Int8).map(|reached| reached.value);
        let isas: Vec<Isa> = Isa::usable().into_iter().filter(|&isa| reach(isa).is_ok()).collect();
        // A busy machine may halve any of them, for a while: the best of several rounds is what an instruction set reaches.
        let mut best = vec![0.0_f64; isas.len()];
        let ordered = |best: &[f64]| best.windows(2).all(|pair| pair[1] > pair[0]);
        for _ in 0..10 {
            for (best, &isa) in best.iter_mut().zip(&isas) {
                *best = best.max(reach(isa).unwrap());
            }
            if ordered(&best) {
                return;
            }
        }
        panic!("{best:?}");
    }
}
