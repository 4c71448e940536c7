//! Read bandwidth: the ceiling of decode, measured with the widest loads, the best over access patterns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use yardstick_api::Known;

use crate::buffer::Buffer;
use crate::kernels::Isa;
use crate::memory;
use crate::pool::Pool;

/// Time for all patterns together.
const BUDGET: Duration = Duration::from_millis(300);
/// Buffers larger than this would not be faster or slower.
const LARGEST: u64 = 2 << 30;
/// Words of a step of the widest pattern: 8 streams of 32.
const STEP: usize = 8 * 32;
/// Streams a thread reads side by side, and whether it prefetches.
const PATTERNS: [(usize, bool); 8] =
    [(1, false), (2, false), (4, false), (8, false), (1, true), (2, true), (4, true), (8, true)];

/// Bytes per second read from a buffer of about `bytes` by `threads` threads.
pub(crate) fn measure(isa: Isa, bytes: u64, threads: usize) -> Known<f64> {
    let quarter = memory::available().value().map_or(LARGEST, |available| available / 4);
    let words = bytes.min(LARGEST).min(quarter) as usize / 4;
    // Whole steps of every stream for every thread: all that is counted is read.
    let unit = threads * STEP;
    let words = (words / unit).max(1) * unit;
    let buffer = match Buffer::<i32>::zeroed(words) {
        Ok(buffer) => buffer,
        Err(error) => return Known::unavailable(error.to_string()),
    };
    let Ok(mut pool) = Pool::new(threads) else {
        return Known::unavailable(format!("cannot start {threads} threads"));
    };
    let share = words / threads;
    // Pages must be real, and differ: reads of the zero page would all hit the cache.
    let touched = pool.run(|member| {
        // SAFETY: each thread's share is its own.
        unsafe { buffer.write(member.index * share..(member.index + 1) * share) }.fill(1);
    });
    let start = Instant::now();
    let sum = AtomicU64::new(0);
    let mut best: f64 = 0.0;
    let mut rounds = 0;
    while touched.is_ok() && (rounds < PATTERNS.len() || start.elapsed() < BUDGET) {
        let (streams, ahead) = PATTERNS[rounds % PATTERNS.len()];
        // A slow machine or a large buffer: one round of each pattern would take too long, read a part.
        let part = part(share, best, threads);
        let from = Instant::now();
        let ran = pool.run(|member| {
            let first = member.index * share;
            // SAFETY: nobody writes while this runs.
            let words = unsafe { buffer.read(first..first + part) };
            sum.fetch_add(read(isa, words, streams, ahead) as u64, Ordering::Relaxed);
        });
        if ran.is_err() {
            break;
        }
        let rate = (part * threads * 4) as f64 / from.elapsed().as_secs_f64();
        best = best.max(rate);
        rounds += 1;
    }
    // The sum is used so that no read can be left out.
    if sum.into_inner() == 0 || best == 0.0 {
        return Known::unavailable("the read loop did not run");
    }
    Known::Value(best)
}

/// Words of a thread's share to read in one round: all, or what takes about a tenth of the budget.
fn part(share: usize, rate: f64, threads: usize) -> usize {
    let rate = if rate > 0.0 { rate } else { 10e9 };
    let words = (rate * BUDGET.as_secs_f64() / 10.0 / 4.0) as usize / threads;
    // A working set of cache size must be read whole; a tenth of the budget is far more than any cache.
    (words / STEP * STEP).clamp(STEP, share.max(STEP)).min(share)
}

/// Sum of all words, read as `streams` (a power of two, at most 8) parts side by side.
fn read(isa: Isa, words: &[i32], streams: usize, ahead: bool) -> i32 {
    match isa {
        // SAFETY: the value proves the features.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => unsafe { x86::read512(words, streams, ahead) },
        // SAFETY: the value proves the features.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => unsafe { x86::read256(words, streams, ahead) },
        _ => {
            let _ = ahead;
            words.chunks(words.len().div_ceil(streams).max(1)).fold(0_i32, |sum, part| {
                let part = part.iter().fold(0_i32, |sum, &word| sum.wrapping_add(word));
                sum.wrapping_add(part)
            })
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Bytes a prefetch runs ahead.
    const AHEAD: usize = 1024;

    macro_rules! reader {
        ($name:ident, $feature:literal, $vector:ty, $zero:ident, $load:ident, $add:ident, $lanes:literal) => {
            #[target_feature(enable = $feature)]
            pub(super) fn $name(words: &[i32], streams: usize, ahead: bool) -> i32 {
                let part = words.len() / streams / 32 * 32;
                let mut sums: [$vector; 8] = [$zero(); 8];
                for i in (0..part).step_by(32) {
                    for (s, sum) in sums.iter_mut().enumerate().take(streams) {
                        let at = words.as_ptr().wrapping_add(s * part + i);
                        if ahead {
                            let ahead = at.wrapping_byte_add(AHEAD);
                            _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                            _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_byte_add(64).cast());
                        }
                        for j in (0..32).step_by($lanes) {
                            // SAFETY: s * part + i + 32 <= words.len().
                            *sum = $add(*sum, unsafe { $load(at.add(j).cast()) });
                        }
                    }
                }
                let mut lanes = [0_i32; 16 * 8];
                for (lanes, sum) in lanes.chunks_exact_mut(16).zip(sums) {
                    // SAFETY: 16 lanes hold either vector.
                    unsafe { lanes.as_mut_ptr().cast::<$vector>().write_unaligned(sum) };
                }
                lanes.iter().fold(0, |sum: i32, &lane| sum.wrapping_add(lane))
            }
        };
    }
    reader!(
        read512,
        "avx512f",
        __m512i,
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_add_epi32,
        16
    );
    reader!(
        read256,
        "avx2",
        __m256i,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_add_epi32,
        8
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_whatever_the_pattern() {
        let words: Vec<i32> = (0..4096).collect();
        let sum = words.iter().sum::<i32>();
        for isa in Isa::usable() {
            for (streams, ahead) in PATTERNS {
                assert_eq!(read(isa, &words, streams, ahead), sum, "{isa:?} {streams} {ahead}");
            }
        }
    }

    #[test]
    fn every_word_that_is_counted_is_read() {
        let ones = vec![1; 5 * STEP];
        for (share, rate) in [(STEP, 0.0), (5 * STEP, 0.0), (5 * STEP, 1e5), (3 * STEP, 1e5)] {
            let part = part(share, rate, 3);
            assert!(part <= share);
            for (isa, (streams, ahead)) in
                Isa::usable().into_iter().flat_map(|isa| PATTERNS.map(|pattern| (isa, pattern)))
            {
                let sum = read(isa, &ones[..part], streams, ahead);
                assert_eq!(sum as usize, part, "{isa:?} {streams} {ahead}");
            }
        }
    }

    #[test]
    fn bandwidth_is_plausible() {
        for isa in Isa::usable() {
            let rate = *measure(isa, 1 << 20, 1).value().expect("a megabyte can be had");
            assert!((1e8..1e13).contains(&rate), "{rate}");
        }
    }
}
