//! Read bandwidth: the ceiling of decode, with the widest loads of the device, the best over stream counts and prefetch.
//!
//! A decode step reads its whole working set once, in the same order each token. So does a pass here: each thread reads a part
//! of its own, which its own core touched first, from start to end. What may be in a cache is then what would be there for
//! a decode, and no more:
//! * before a pattern is timed it makes one pass that does not count, because the pattern before it left other lines behind
//!   (a set slightly above the L3, read in another order, finds the end of the last pass still there and looks fast);
//! * a set so large that a pass takes longer than a round is read in windows that follow each other around the set, so that
//!   between two reads of a line lies all the rest of the set, as in a decode, and not only the rest of a window.
//!
//! Pages are large where the system gives such, as those of packed weights and caches are: small ones read slower on machines
//! that look addresses up slowly, and a ceiling is what the machine can do.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use yardstick_api::{Known, Reached, Round, host};

use super::caches::Caches;
use super::{READ_BUDGET, ROUND, fastest, median, rate, repeat, timed};
use crate::buffer::Buffer;
use crate::kernels::Isa;
use crate::pool::Pool;

/// Sets larger than this would not be faster or slower.
const LARGEST: u64 = 2 << 30;
/// Words every pattern reads in one step, over its streams: 1 KiB.
const STEP: usize = 256;
/// Timed tries of a pattern while the best is looked for.
const TRIES: usize = 2;

/// How a thread walks through its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pattern {
    /// Places it reads at side by side: 1, 2, 4 or 8.
    streams: usize,
    /// Bytes its prefetches run ahead, 0 for none.
    ahead: usize,
}

const PATTERNS: [Pattern; 10] = {
    const fn of(streams: usize, ahead: usize) -> Pattern {
        Pattern { streams, ahead }
    }
    [
        of(1, 0),
        of(2, 0),
        of(4, 0),
        of(8, 0),
        of(1, 1024),
        of(2, 1024),
        of(4, 1024),
        of(8, 1024),
        of(1, 4096),
        of(4, 4096),
    ]
};

/// The working set, a part a thread.
struct Set {
    isa: Isa,
    parts: Vec<OnceLock<Buffer<i32>>>,
    /// Words of a part.
    part: usize,
    /// Words of a part read in one go: all of it, or a window.
    window: usize,
    /// The next window.
    next: usize,
}

/// Bytes per second read from a working set of about `bytes`.
pub(super) fn measure(mut pool: Pool, isa: Isa, bytes: u64) -> Result<Reached, String> {
    let mut set = Set::new(&mut pool, isa, bytes)?;
    let caches = Caches::detect();
    let level = caches.level(set.bytes(), pool.threads());
    let one = set.round(&mut pool, PATTERNS[0], 1)?;
    set.cut(rate(&one));
    let (mut most, mut pattern) = (0.0, PATTERNS[0]);
    for tried in PATTERNS {
        let passes = set.settle(&mut pool, tried)?;
        for _ in 0..TRIES {
            let reached = rate(&set.round(&mut pool, tried, passes.div_ceil(2))?);
            if reached > most {
                (most, pattern) = (reached, tried);
            }
        }
    }
    let passes = set.settle(&mut pool, pattern)?;
    let rounds = repeat(READ_BUDGET, || set.round(&mut pool, pattern, passes))?;
    let best = fastest(&rounds);
    let (kib, ahead) = (set.bytes() >> 10, pattern.ahead);
    let prefetch =
        if ahead == 0 { "no prefetch".into() } else { format!("prefetch {ahead} ahead") };
    Ok(Reached {
        value: best,
        threads: Known::Value(pool.threads()),
        label: level.to_string(),
        how: format!(
            "{} streams a thread, {prefetch}, {} loads, large pages asked for; {kib} KiB from {level} ({caches}); the best of {} rounds, of which half reach {:.1} % of it",
            pattern.streams,
            isa.name(),
            rounds.len(),
            median(&rounds) / best * 100.0,
        ),
        rounds,
    })
}

impl Set {
    fn new(pool: &mut Pool, isa: Isa, bytes: u64) -> Result<Set, String> {
        let threads = pool.threads();
        let quarter = host::available_memory().value().map_or(LARGEST, |available| available / 4);
        let words = (bytes.min(LARGEST).min(quarter) / 4) as usize;
        // Whole steps: all that is counted is read.
        let part = (words / threads / STEP).max(1) * STEP;
        let parts: Vec<OnceLock<Buffer<i32>>> = (0..threads).map(|_| OnceLock::new()).collect();
        let touched = pool.run(|member| {
            if let Ok(mut buffer) = Buffer::<i32>::zeroed(part) {
                // Pages must be real, and differ: reads of the zero page would all hit the cache.
                buffer.all_mut().fill(1);
                let _ = parts[member.index].set(buffer);
            }
        });
        match touched.is_ok() && parts.iter().all(|part| part.get().is_some()) {
            true => Ok(Set { isa, parts, part, window: part, next: 0 }),
            false => Err(format!("the system refused {} bytes", part * threads * 4)),
        }
    }

    fn bytes(&self) -> u64 {
        (self.part * self.parts.len() * 4) as u64
    }

    /// Chooses the window: the whole part, or an even share of it that takes about a round at this rate.
    fn cut(&mut self, rate: f64) {
        let round = rate * ROUND.as_secs_f64();
        let windows = (self.bytes() as f64 / round).floor().clamp(1.0, 1e6) as usize;
        self.window = (self.part / windows / STEP).max(1) * STEP;
    }

    /// Leaves the caches as this pattern does, and says how many passes a round takes.
    fn settle(&mut self, pool: &mut Pool, pattern: Pattern) -> Result<u64, String> {
        if self.window < self.part {
            return Ok(1);
        }
        let mut passes = 1;
        loop {
            let round = self.round(pool, pattern, passes)?;
            let wanted = ROUND.as_nanos() as f64 / round.nanoseconds.max(1) as f64;
            if wanted <= 4.0 {
                return Ok((passes as f64 * wanted).ceil().max(1.0) as u64);
            }
            // The first pass was cold, or the clock too coarse: look again with more.
            passes *= (wanted / 2.0) as u64;
        }
    }

    /// Reads the next window `passes` times, in every thread, and proves that every word was read.
    fn round(&mut self, pool: &mut Pool, pattern: Pattern, passes: u64) -> Result<Round, String> {
        let windows = (self.part / self.window).max(1);
        let first = self.next % windows * self.window;
        self.next += 1;
        let (isa, window, sum) = (self.isa, self.window, AtomicU32::new(0));
        let words = window as u64 * self.parts.len() as u64 * passes;
        let round = timed(pool, words * 4, |member| {
            let Some(buffer) = self.parts[member.index].get() else { return };
            // SAFETY: nobody writes after `new`.
            let words = unsafe { buffer.read(first..first + window) };
            let mut own = 0_i32;
            for _ in 0..passes {
                own = own.wrapping_add(read(isa, black_box(words), pattern));
            }
            sum.fetch_add(own as u32, Ordering::Relaxed);
        })?;
        // Every word is 1.
        match sum.into_inner() == words as u32 {
            true => Ok(round),
            false => Err("the read loop left words out".to_owned()),
        }
    }
}

/// Sum of all words.
fn read(isa: Isa, words: &[i32], pattern: Pattern) -> i32 {
    match isa {
        // SAFETY: the value proves the features.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => unsafe { x86::read512(words, pattern) },
        // SAFETY: the value proves the features.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => unsafe { x86::read256(words, pattern) },
        _ => plain(words, pattern.streams),
    }
}

/// As the compiler does it, without prefetch.
fn plain(words: &[i32], streams: usize) -> i32 {
    words
        .chunks(words.len().div_ceil(streams).max(1))
        .fold(0_i32, |sum, part| part.iter().fold(sum, |sum, &word| sum.wrapping_add(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_whatever_the_pattern() {
        for steps in [1, 2, 5, 16] {
            let words: Vec<i32> = (0..(steps * STEP) as i32).map(|i| i * i).collect();
            let sum = words.iter().fold(0_i32, |sum, &word| sum.wrapping_add(word));
            for isa in Isa::usable() {
                for pattern in PATTERNS {
                    assert_eq!(read(isa, &words, pattern), sum, "{isa:?} {pattern:?} {steps}");
                }
            }
        }
    }

    #[test]
    fn windows_go_around_the_whole_set() {
        let mut pool = Pool::new(2).unwrap();
        let mut set = Set::new(&mut pool, Isa::Scalar, 64 * 1024).unwrap();
        assert_eq!(set.bytes(), 64 * 1024);
        // A quarter of the set takes a round.
        set.cut(16384.0 / ROUND.as_secs_f64());
        assert_eq!(set.window * 4, set.part);
        // Only the third window of a part is not all ones.
        let window = set.window;
        for part in &mut set.parts {
            let mut buffer = Buffer::zeroed(4 * window).unwrap();
            buffer.all_mut().fill(1);
            buffer.all_mut()[2 * window] = 2;
            *part = OnceLock::from(buffer);
        }
        let mut failed = Vec::new();
        for turn in 0..8 {
            if set.round(&mut pool, PATTERNS[0], 1).is_err() {
                failed.push(turn);
            }
        }
        assert_eq!(failed, [2, 6]);
    }

    #[test]
    fn a_tiny_set_is_read_many_times_a_round() {
        let mut pool = Pool::new(1).unwrap();
        let mut set = Set::new(&mut pool, Isa::Scalar, 1).unwrap();
        assert_eq!(set.bytes(), 1024);
        assert!(set.settle(&mut pool, PATTERNS[0]).unwrap() > 100);
    }
}
