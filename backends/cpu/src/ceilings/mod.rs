//! Ceilings: what this processor reaches at each limit with the instructions of one device, measured with the crew and the
//! barriers of a session. Not a benchmark of models: nothing here reads one.

pub(crate) mod caches;
mod latency;
mod peak;
mod read;

#[cfg(target_arch = "x86_64")]
pub(crate) use peak::amx;

use std::time::{Duration, Instant};

use yardstick_api::{Known, Limit, Reached, Round};

use crate::kernels::Isa;
use crate::pool::Pool;

/// Rounds kept are at least this long: clock, start and end of a round are then below a thousandth of it.
const ROUND: Duration = Duration::from_millis(4);
/// Time for the rounds that count.
const BUDGET: Duration = Duration::from_millis(120);
/// The same for reading, whose mean matters too: neighbours read in bursts.
const READ_BUDGET: Duration = Duration::from_millis(400);
/// At least so many of them, and at most as many as a budget holds.
const LEAST_ROUNDS: usize = 6;

/// What `threads` threads reach at a limit with an instruction set.
pub(crate) fn measure(isa: Isa, limit: Limit, threads: usize) -> Known<Reached> {
    let pool = match Pool::new(threads) {
        Ok(pool) => pool,
        Err(error) => {
            return Known::unavailable(format!("cannot start {threads} threads: {error}"));
        }
    };
    let reached = match limit {
        Limit::Read { bytes } => read::measure(pool, isa, bytes),
        Limit::Int8
        | Limit::Bf16
        | Limit::F16
        | Limit::F32
        | Limit::Int8Matrix
        | Limit::Bf16Matrix => peak::measure(pool, isa, limit),
        Limit::Barrier => latency::barrier(pool),
        Limit::Wake => latency::wake(pool),
    };
    reached.map_or_else(Known::unavailable, Known::Value)
}

/// Repeats a round until the budget is spent. Ends early on a round that failed.
fn repeat(
    budget: Duration,
    mut round: impl FnMut() -> Result<Round, String>,
) -> Result<Vec<Round>, String> {
    let (start, mut rounds) = (Instant::now(), Vec::new());
    // A third more than fit: rounds of a latency are shorter.
    let most = (4 * budget.as_nanos()).div_ceil(3 * ROUND.as_nanos()) as usize;
    while rounds.len() < most && (rounds.len() < LEAST_ROUNDS || start.elapsed() < budget) {
        rounds.push(round()?);
    }
    Ok(rounds)
}

/// Units per second of a round.
fn rate(round: &Round) -> f64 {
    round.amount as f64 * 1e9 / round.nanoseconds.max(1) as f64
}

/// The fastest of some rounds, 0 without one.
fn fastest(rounds: &[Round]) -> f64 {
    rounds.iter().map(rate).fold(0.0, f64::max)
}

/// What half of some rounds reach, 0 without one.
fn median(rounds: &[Round]) -> f64 {
    let mut rates: Vec<f64> = rounds.iter().map(rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

/// Times a run of the whole crew that does `amount` of something.
fn timed(
    pool: &mut Pool,
    amount: u64,
    job: impl Fn(&crate::pool::Member<'_>) + Sync,
) -> Result<Round, String> {
    let start = Instant::now();
    pool.run(job).map_err(|_| "a thread panicked while measuring".to_owned())?;
    Ok(Round { amount, nanoseconds: start.elapsed().as_nanos() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_a_plausible_number_or_says_why_not() {
        for isa in Isa::usable() {
            for (limit, range) in [
                (Limit::Read { bytes: 1 << 20 }, 1e8..1e13),
                (Limit::Int8, 1e8..1e14),
                (Limit::Bf16, 1e8..1e14),
                (Limit::F16, 1e8..1e14),
                (Limit::F32, 1e8..1e14),
                (Limit::Int8Matrix, 1e8..1e15),
                (Limit::Bf16Matrix, 1e8..1e15),
                (Limit::Barrier, 1.0..1e8),
                (Limit::Wake, 100.0..1e9),
            ] {
                match measure(isa, limit, 1) {
                    Known::Value(reached) => {
                        assert!(range.contains(&reached.value), "{isa:?} {limit}: {reached:?}");
                        assert!(!reached.rounds.is_empty() && !reached.label.is_empty());
                    }
                    Known::Unavailable { unavailable } => {
                        assert!(unavailable.len() > 20, "{isa:?} {limit}: {unavailable}");
                        assert!(!matches!(limit, Limit::Read { .. } | Limit::Barrier));
                    }
                }
            }
        }
    }

    #[test]
    fn rounds_stop_at_the_first_failure() {
        let mut left = 3;
        let round = || {
            left -= 1;
            if left == 0 { Err("no".to_owned()) } else { Ok(Round { amount: 1, nanoseconds: 1 }) }
        };
        assert_eq!(repeat(BUDGET, round), Err("no".to_owned()));
        assert_eq!(left, 0);
    }
}
