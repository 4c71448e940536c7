//! Metrics beside time: those that repeat exactly (memory, registers, file sizes) and those with an interval of their own
//! (energy, output drift). One-sided and direction-aware: what got better never fails.

use serde::Serialize;
use yardstick_record::Direction;

use super::Verdict;
use crate::Interval;

/// A judgement without looks: it may be asked once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Pass, fail or inconclusive.
    pub verdict: Verdict,
    /// How much worse the candidate is: relative, or in the metric's unit where the limit is.
    pub worse: f64,
    /// What is let pass.
    pub allowed: f64,
}

/// A deterministic metric: fails where the candidate is worse by more than `allowed`, relative to the base (0 lets nothing pass).
/// `None` where a value is not finite or is negative, or the base is 0 and the candidate is not.
pub fn exact(base: f64, candidate: f64, better: Direction, allowed: f64) -> Option<Judgement> {
    let known = |v: f64| v.is_finite() && v >= 0.0;
    if !(known(base) && known(candidate)) || (base == 0.0 && candidate != 0.0) {
        return None;
    }
    let change = if base == 0.0 { 0.0 } else { candidate / base - 1.0 };
    let worse = match better {
        Direction::Lower => change,
        Direction::Higher => -change,
    };
    let verdict = if worse > allowed { Verdict::Fail } else { Verdict::Pass };
    Some(Judgement { verdict, worse, allowed })
}

/// A measured metric whose interval of "how much worse" is known (relative energy; a KL divergence in nats, whose base is 0):
/// fails where the interval is above `allowed`, passes where it is at or below, else inconclusive.
/// `None` where a bound is not finite.
pub fn measured(worse: f64, interval: &Interval, allowed: f64) -> Option<Judgement> {
    let finite = [worse, interval.low, interval.high].iter().all(|v| v.is_finite());
    let verdict = if interval.low > allowed {
        Verdict::Fail
    } else if interval.high <= allowed {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    finite.then_some(Judgement { verdict, worse, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_metrics_fail_in_their_bad_direction_alone() {
        let of = |b, c, better, allowed| exact(b, c, better, allowed).map(|j| j.verdict);
        use Direction::{Higher, Lower};
        assert_eq!(of(100.0, 101.0, Lower, 0.0), Some(Verdict::Fail));
        assert_eq!(of(100.0, 101.0, Lower, 0.02), Some(Verdict::Pass));
        assert_eq!(of(100.0, 101.0, Higher, 0.0), Some(Verdict::Pass));
        assert_eq!(of(100.0, 90.0, Higher, 0.05), Some(Verdict::Fail));
        assert_eq!(of(0.0, 0.0, Lower, 0.0), Some(Verdict::Pass));
        assert_eq!([of(0.0, 1.0, Lower, 0.0), of(f64::NAN, 1.0, Lower, 0.0)], [None, None]);
    }

    #[test]
    fn measured_metrics_need_their_interval_on_one_side() {
        let of = |low, high| {
            let interval = Interval { low, high, confidence: 0.95 };
            measured(f64::midpoint(low, high), &interval, 0.01).map(|j| j.verdict)
        };
        assert_eq!(of(0.011, 0.02), Some(Verdict::Fail));
        assert_eq!(of(0.0, 0.01), Some(Verdict::Pass));
        assert_eq!(of(0.005, 0.02), Some(Verdict::Inconclusive));
        assert_eq!(of(0.005, f64::INFINITY), None);
    }
}
