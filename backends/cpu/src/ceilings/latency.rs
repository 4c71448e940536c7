//! Latencies of a crew: the barrier between two phases, and waking a worker that went to sleep.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use yardstick_api::{Known, Reached, Round};

use super::{BUDGET, repeat, timed};
use crate::pool::Pool;

/// Meetings of a round.
const MEETINGS: u64 = 4096;
/// Longer than any worker spins, so that it sleeps.
const REST: Duration = Duration::from_millis(2);

/// Nanoseconds from one barrier to the next when no thread has anything else to do.
pub(super) fn barrier(mut pool: Pool) -> Result<Reached, String> {
    let threads = pool.threads() as u64;
    let rounds = repeat(BUDGET, || {
        let (met, early) = (AtomicU64::new(0), AtomicU64::new(0));
        let round = timed(&mut pool, MEETINGS, |member| {
            met.fetch_add(1, Ordering::Relaxed);
            member.barrier();
            // Whoever is past the first barrier sees that all had arrived.
            early.fetch_add(u64::from(met.load(Ordering::Relaxed) != threads), Ordering::Relaxed);
            for _ in 1..MEETINGS {
                member.barrier();
            }
        })?;
        match early.into_inner() {
            0 => Ok(round),
            _ => Err("a thread passed the barrier before all had arrived".to_owned()),
        }
    })?;
    let pinned = if pool.is_pinned() { "threads pinned" } else { "threads not pinned" };
    Ok(reached(rounds, pool.threads(), "barrier", format!("{MEETINGS} barriers a round, {pinned}")))
}

/// Nanoseconds from the call that starts a run to the moment the last sleeping worker runs.
pub(super) fn wake(mut pool: Pool) -> Result<Reached, String> {
    if pool.threads() < 2 {
        return Err("one thread has nobody to wake".to_owned());
    }
    let rounds = repeat(BUDGET, || {
        std::thread::sleep(REST);
        let (start, last) = (Instant::now(), AtomicU64::new(0));
        timed(&mut pool, 1, |member| {
            if member.index > 0 {
                last.fetch_max(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
        })?;
        match last.into_inner() {
            0 => Err("no worker ran".to_owned()),
            nanoseconds => Ok(Round { amount: 1, nanoseconds }),
        }
    })?;
    let how = format!("workers asleep for {} ms, the last one counts", REST.as_millis());
    Ok(reached(rounds, pool.threads(), "wake", how))
}

fn reached(rounds: Vec<Round>, threads: usize, label: &str, how: String) -> Reached {
    let each = |round: &Round| round.nanoseconds as f64 / round.amount as f64;
    Reached {
        value: rounds.iter().map(each).fold(f64::INFINITY, f64::min),
        threads: Known::Value(threads),
        label: label.to_owned(),
        how,
        rounds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_of_two_takes_longer_than_of_none() {
        let one = barrier(Pool::new(1).unwrap()).unwrap().value;
        let two = barrier(Pool::new(2).unwrap()).unwrap().value;
        assert!(one > 0.0 && two > one, "{one} {two}");
    }

    #[test]
    fn waking_is_measured_for_two_and_refused_for_one() {
        assert!(wake(Pool::new(1).unwrap()).is_err());
        let reached = wake(Pool::new(2).unwrap()).unwrap();
        assert!(reached.value > 0.0 && reached.rounds.len() >= 6);
    }
}
