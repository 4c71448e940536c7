//! Requests that arrive: when and how long, by a seed. A rate changes when they come, not what they ask for.

use yardstick_api::{Token, verify};
use yardstick_record::Arrivals;

use super::Load;
use crate::plan::Shuffle;
use crate::protocol::Arriving;

/// The requests of one trial at `rate` a second, for a vocabulary of this size.
pub(crate) fn arriving(load: &Load, rate: f64, vocab: usize) -> Vec<Arriving> {
    let seed = u64::from(load.seed);
    let (mut gaps, mut lengths) = (Shuffle::new(seed), Shuffle::new(!seed));
    let (longest, n) = (load.prompt.1 as usize, load.requests as usize);
    let ids = verify::prompt(vocab, longest + n);
    let gaps: Vec<f64> = (0..n).map(|_| gap(load.arrivals, &mut gaps)).collect();
    // Few gaps drawn at random may be short or long together: all of them take the time that the rate says.
    let scale = n as f64 / gaps.iter().sum::<f64>() / rate;
    let mut at = 0.0;
    (0..n)
        .map(|index| {
            at += gaps[index] * scale;
            let prompt = within(load.prompt, &mut lengths) as usize;
            let prompt: Vec<Token> = ids[index..index + prompt].to_vec();
            let n = within(load.answer, &mut lengths) as usize;
            // Whole nanoseconds; a later one than any clock reaches stays there.
            Arriving { at_ns: (at * 1e9) as u64, prompt, n }
        })
        .collect()
}

/// Time to the next request at one a second.
fn gap(arrivals: Arrivals, from: &mut Shuffle) -> f64 {
    match arrivals {
        Arrivals::Constant => 1.0,
        // Of a number in (0, 1].
        Arrivals::Poisson => -(((from.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64).ln(),
    }
}

/// A length between both ends, each as likely.
fn within((low, high): (u32, u32), from: &mut Shuffle) -> u32 {
    let width = u64::from(high.saturating_sub(low)) + 1;
    low + (from.next() % width) as u32
}

#[cfg(test)]
mod tests {
    use super::super::{Asked, Workloads};
    use super::*;

    fn load(asked: Asked) -> Load {
        Workloads::read(&asked, &[]).unwrap().load
    }

    #[test]
    fn gaps_are_what_was_asked_for_and_a_rate_changes_nothing_else() {
        let short = Asked { prompt: Some((1, 3)), ..Asked::default() };
        let poisson = load(Asked { requests: Some(4000), ..short });
        let slow = arriving(&poisson, 2.0, 100);
        let fast = arriving(&poisson, 8.0, 100);
        assert_eq!(slow, arriving(&poisson, 2.0, 100), "the seed decides");
        for (a, b) in slow.iter().zip(&fast) {
            assert_eq!((&a.prompt, a.n), (&b.prompt, b.n));
            assert!(a.at_ns.abs_diff(b.at_ns * 4) <= 4);
            assert!((1..=3).contains(&a.prompt.len()) && (8..=32).contains(&a.n));
        }
        let gaps: Vec<f64> =
            slow.windows(2).map(|pair| (pair[1].at_ns - pair[0].at_ns) as f64 / 1e9).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // Of an exponential distribution mean and deviation are one.
        assert!((mean - 0.5).abs() < 1e-3, "{mean}");
        assert!(
            slow.last().unwrap().at_ns.abs_diff(2_000_000_000_000) < 1000,
            "4000 at 2 a second"
        );
        assert!((square.sqrt() - 0.5).abs() < 0.04, "{}", square.sqrt());
        let constant = load(Asked { arrivals: Some(Arrivals::Constant), ..Asked::default() });
        let even = arriving(&constant, 4.0, 100);
        assert!(
            even.windows(2).all(|pair| (pair[1].at_ns - pair[0].at_ns).abs_diff(250_000_000) <= 1)
        );
    }
}
