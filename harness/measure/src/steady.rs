//! How long to warm up and when to stop repeating: pure functions of the times so far.

use std::time::Duration;

use yardstick_record::WarmUp;

use crate::suite::Sampling;

/// Two blocks agree when their mean times differ by less than this fraction.
const AGREEMENT: f64 = 0.05;

/// Repeats until two consecutive blocks agree or the cap is reached; always at least once. A block is as many
/// repetitions as take a tenth of the cap. `repeat` returns a repetition's nanoseconds, or `None` to end early.
pub fn warm_up<E>(
    cap: Duration,
    mut repeat: impl FnMut() -> Result<Option<u64>, E>,
) -> Result<WarmUp, E> {
    let cap = cap.as_nanos() as u64;
    let mut warm_up = WarmUp::default();
    let mut previous = None;
    let (mut block_ns, mut block_repetitions) = (0_u64, 0_u32);
    while let Some(taken) = repeat()? {
        warm_up.repetitions += 1;
        warm_up.nanoseconds = warm_up.nanoseconds.saturating_add(taken);
        block_ns = block_ns.saturating_add(taken);
        block_repetitions += 1;
        if block_ns >= cap / 10 {
            let mean = block_ns as f64 / f64::from(block_repetitions);
            warm_up.steady = previous.is_some_and(|previous| agree(previous, mean));
            previous = Some(mean);
            (block_ns, block_repetitions) = (0, 0);
        }
        // The second bound is for work so fast that the cap would take millions of repetitions.
        if warm_up.steady || warm_up.nanoseconds >= cap || warm_up.repetitions >= 1_000_000 {
            break;
        }
    }
    Ok(warm_up)
}

fn agree(a: f64, b: f64) -> bool {
    (a - b).abs() <= AGREEMENT * a.min(b)
}

/// No further repetition is needed or allowed.
pub fn enough(times_ns: &[u64], sampling: &Sampling) -> bool {
    let n = times_ns.len() as u64;
    if n < u64::from(sampling.min_repetitions) {
        return false;
    }
    let total: u64 = times_ns.iter().fold(0, |sum, &t| sum.saturating_add(t));
    n >= u64::from(sampling.max_repetitions)
        || total as f64 >= sampling.max_seconds * 1e9
        || half_width(times_ns).is_some_and(|width| width <= sampling.interval)
}

/// No further round is needed or allowed by members that take turns: the times of all count together, and the widest
/// interval decides.
pub fn enough_together(times_ns: &[Vec<u64>], sampling: &Sampling) -> bool {
    let rounds = times_ns.iter().map(Vec::len).min().unwrap_or(0) as u64;
    if rounds < u64::from(sampling.min_repetitions) {
        return false;
    }
    let total = times_ns.iter().flatten().fold(0_u64, |sum, &t| sum.saturating_add(t));
    let tight = |times: &Vec<u64>| half_width(times).is_some_and(|w| w <= sampling.interval);
    rounds >= u64::from(sampling.max_repetitions)
        || total as f64 >= sampling.max_seconds * 1e9 * times_ns.len() as f64
        || times_ns.iter().all(tight)
}

/// Half the width of the median's 95 % interval as a fraction of the median, from order statistics (no assumption about
/// the distribution). `None` below six values, where no such interval exists. Decides when to stop and nothing else:
/// reports take their intervals over launches.
pub fn half_width(times_ns: &[u64]) -> Option<f64> {
    let n = times_ns.len();
    let rank = lower_rank(n)?;
    let mut sorted = times_ns.to_vec();
    sorted.sort_unstable();
    let median = (sorted[(n - 1) / 2] as f64 + sorted[n / 2] as f64) / 2.0;
    let width = (sorted[n - 1 - rank] - sorted[rank]) as f64;
    if median > 0.0 { Some(width / 2.0 / median) } else { Some(0.0) }
}

/// Index of the interval's lower end: the largest k with P(fewer than k+1 of n fair coins are heads) <= 2.5 %.
fn lower_rank(n: usize) -> Option<usize> {
    if n > 500 {
        let n = n as f64;
        return Some((n / 2.0 - 0.98 * n.sqrt()) as usize);
    }
    let mut probability = 0.5_f64.powi(n as i32);
    let (mut sum, mut rank) = (0.0, None);
    for k in 0..n / 2 {
        sum += probability;
        if sum > 0.025 {
            break;
        }
        rank = Some(k);
        probability *= (n - k) as f64 / (k + 1) as f64;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warmed(times: &[u64], cap_ns: u64) -> WarmUp {
        let mut times = times.iter().copied();
        warm_up(Duration::from_nanos(cap_ns), || Ok::<_, ()>(times.next())).unwrap()
    }

    #[test]
    fn warm_up_ends_when_two_blocks_agree() {
        let run = warmed(&[100, 80, 60, 59, 58, 58], 580);
        assert_eq!(run, WarmUp { repetitions: 4, nanoseconds: 299, steady: true });
    }

    #[test]
    fn warm_up_ends_at_its_cap_and_says_so() {
        let run = warmed(&[400, 300, 200, 400, 300, 200], 1000);
        assert_eq!(run, WarmUp { repetitions: 4, nanoseconds: 1300, steady: false });
        assert_eq!(warmed(&[5000, 5000], 1000).repetitions, 1);
        assert_eq!(warmed(&[7], 0).repetitions, 1);
    }

    #[test]
    fn short_repetitions_are_compared_in_blocks() {
        // Alternating times never agree one by one; blocks of ten do.
        let times: Vec<u64> = (0..100).map(|i| if i % 2 == 0 { 8 } else { 12 }).collect();
        let run = warmed(&times, 1000);
        assert!(run.steady, "{run:?}");
        assert_eq!(run.repetitions, 20);
    }

    #[test]
    fn the_interval_of_the_median_takes_the_binomial_ranks() {
        // Ranks of the 95 % interval, from tables of the sign test: n -> 1-based lower rank.
        for (n, rank) in
            [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)]
        {
            assert_eq!(lower_rank(n), Some(rank - 1), "n = {n}");
        }
        assert_eq!(lower_rank(5), None);
        let approximate = lower_rank(501).unwrap();
        assert!((227..=230).contains(&approximate), "{approximate}");
    }

    #[test]
    fn sampling_stops_when_the_interval_is_tight_and_not_before_the_minimum() {
        let sampling = Sampling {
            min_repetitions: 8,
            max_repetitions: 40,
            max_seconds: 1.0,
            interval: 0.02,
            warm_up_seconds: 0.0,
        };
        let repetitions = |time: &dyn Fn(u64) -> u64| {
            let mut times = Vec::new();
            while !enough(&times, &sampling) {
                times.push(time(times.len() as u64));
            }
            times.len()
        };
        assert_eq!(repetitions(&|_| 1000), 8, "constant times need only the minimum");
        assert_eq!(repetitions(&|i| 1000 + 500 * (i % 2)), 40, "wild times take the maximum");
        assert_eq!(repetitions(&|_| 400_000_000), 8, "the minimum outlasts the time limit");
        assert_eq!(repetitions(&|i| 100_000_000 + 90_000_000 * (i % 2)), 8, "time limit");
        let settling = repetitions(&|i| if i < 3 { 3000 } else { 1000 + i });
        assert!((9..=20).contains(&settling), "{settling}");
    }
}
