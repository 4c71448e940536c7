//! What the launches up to one look say: mean, interval, control, and what they could have seen.

use std::collections::BTreeMap;

use super::{Decision, Launch, Plan, Verdict};
use crate::Interval;
use crate::interval::{t_quantile, t_upper};

/// Chance with which an effect called visible is found.
const POWER: f64 = 0.95;
/// Beyond this, more launches are no advice.
const MOST_ADVISED: usize = 1000;

/// One look. Log ratios inside, relative effects in the [`Decision`].
pub(super) struct Evidence<'a> {
    plan: &'a Plan,
    launches: &'a [Launch],
    n: usize,
    mean: f64,
    deviation: f64,
    /// Bounds of the mean, each at this look's share of its error budget.
    low: f64,
    high: f64,
    control: Option<f64>,
    pub(super) set_apart: usize,
    /// One-sided chance of this look alone; 1 where floor or control forbid to fail.
    pub(super) p: f64,
}

impl<'a> Evidence<'a> {
    /// The first `look` launches that count, and those set apart between them; `None` where there are fewer.
    pub(super) fn at(plan: &'a Plan, launches: &'a [Launch], look: usize) -> Option<Evidence<'a>> {
        let counts = |launch: &&Launch| launch.set_apart().is_none();
        let last = launches.iter().enumerate().filter(|(_, l)| counts(l)).nth(look - 1)?.0;
        let launches = &launches[..=last];
        let kept: Vec<&Launch> = launches.iter().filter(counts).collect();
        let values: Vec<f64> = kept.iter().map(|launch| launch.effect()).collect();
        let controls: Option<Vec<f64>> = kept.iter().map(|launch| launch.d0()).collect();
        let mean = mean(&values);
        let squares: f64 = values.iter().map(|d| (d - mean).powi(2)).sum();
        let mut evidence = Evidence {
            plan,
            launches,
            n: look,
            mean,
            deviation: (squares / (look - 1) as f64).sqrt(),
            low: mean,
            high: mean,
            control: controls.map(|controls| self::mean(&controls)),
            set_apart: launches.len() - look,
            p: 1.0,
        };
        let error = evidence.error(look);
        let (fail, pass) = plan.tails();
        evidence.low -= t_quantile(look - 1, 1.0 - 2.0 * fail) * error;
        evidence.high += t_quantile(look - 1, 1.0 - 2.0 * pass) * error;
        if mean > evidence.least() {
            evidence.p = if error > 0.0 { t_upper(look - 1, mean / error) } else { 0.0 };
        }
        Some(evidence)
    }

    /// Fail, pass or continue.
    pub(super) fn verdict(&self) -> Verdict {
        if self.low > 0.0 && self.mean > self.least() {
            Verdict::Fail
        } else if self.high < self.plan.caught.ln_1p() {
            Verdict::Pass
        } else {
            Verdict::Continue
        }
    }

    /// A mean at or below this does not fail: half of what the base's two copies differ by on top of the floor, so that the
    /// candidate is above the floor against both.
    fn least(&self) -> f64 {
        self.plan.floor.ln_1p() + self.control.unwrap_or(0.0).abs() / 2.0
    }

    /// Standard error of a mean of `n`.
    fn error(&self, n: usize) -> f64 {
        self.deviation / (n as f64).sqrt()
    }

    /// The log effect that `n` launches would fail with the chance [`POWER`], at this noise and with this control.
    fn visible(&self, n: usize) -> f64 {
        let error = self.error(n);
        let above_zero = t_quantile(n - 1, 1.0 - 2.0 * self.plan.tails().0) * error;
        above_zero.max(self.least()) + t_quantile(n - 1, 2.0 * POWER - 1.0) * error
    }

    fn needed(&self) -> Option<usize> {
        let caught = self.plan.caught.ln_1p();
        if self.least() >= caught || self.visible(MOST_ADVISED) > caught {
            return None;
        }
        let (mut low, mut high) = (2, MOST_ADVISED);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.visible(middle) > caught { low = middle } else { high = middle }
        }
        Some(high)
    }

    pub(super) fn decision(&self, verdict: Verdict, p: f64) -> Decision {
        let (fail, pass) = self.plan.tails();
        let confidence = 1.0 - fail - pass;
        let (low, high) = (self.low.exp_m1(), self.high.exp_m1());
        let undecided = matches!(verdict, Verdict::Inconclusive | Verdict::Continue);
        Decision {
            verdict,
            reason: self.reason(verdict),
            estimate: Some(self.mean.exp_m1()),
            interval: Some(Interval { low, high, confidence }),
            control: self.control.map(f64::exp_m1),
            launches: self.n,
            set_apart: self.set_apart,
            visible: Some(self.visible(self.n).exp_m1()),
            needed: if undecided { self.needed() } else { None },
            next_look: None,
            p,
        }
    }

    /// `+3.1 % (+2.0 % to +4.2 %) over 6 launches`
    pub(super) fn words(&self) -> String {
        let n = self.n;
        let [mean, low, high] = [self.mean, self.low, self.high].map(percent);
        format!("{mean} ({low} to {high}) over {n} launches")
    }

    fn reason(&self, verdict: Verdict) -> String {
        let words = self.words();
        let plan = self.plan;
        match verdict {
            Verdict::Fail => format!("{words}: above 0 and above {}", self.least_words()),
            Verdict::Pass => format!("{words}: {} is excluded", percent(plan.caught.ln_1p())),
            Verdict::Continue => words,
            Verdict::Inconclusive => format!("{words}: {}", self.undecided()),
        }
    }

    fn least_words(&self) -> String {
        let floor = percent(self.plan.floor.ln_1p());
        match self.control {
            Some(control) => {
                format!(
                    "the floor of {floor} against both copies of the base ({} apart)",
                    unsigned(control)
                )
            }
            None => format!("the floor of {floor}"),
        }
    }

    fn undecided(&self) -> String {
        if self.set_apart as f64 > super::MOST_SET_APART * (self.set_apart + self.n) as f64 {
            return format!("the machine was not fit: {}", Evidence::apart_words(self.launches));
        }
        let could = format!("could only have seen {}", percent(self.visible(self.n)));
        if self.low > 0.0 && self.mean <= self.least() {
            return format!("not above {}; {could}", self.least_words());
        }
        match self.needed() {
            Some(needed) if needed > self.n => {
                format!("{could}; about {needed} launches would decide at this noise")
            }
            Some(_) => format!("{could}; it lies at the edge of what is let pass"),
            None => format!("{could}; no number of launches up to {MOST_ADVISED} would do"),
        }
    }

    /// `7 of 20 launches set apart (steal 7 %: 6, throttled: 1)`
    pub(super) fn apart_words(launches: &[Launch]) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for evidence in launches.iter().filter_map(Launch::set_apart) {
            *reasons.entry(evidence).or_default() += 1;
        }
        let apart: usize = reasons.values().sum();
        let words: Vec<String> = reasons.iter().map(|(why, n)| format!("{why}: {n}")).collect();
        format!("{apart} of {} launches set apart ({})", launches.len(), words.join(", "))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// `0.4 %`, from a log ratio of either sign.
fn unsigned(log: f64) -> String {
    format!("{:.1} %", 100.0 * log.abs().exp_m1())
}

/// `+3.1 %`, from a log ratio.
fn percent(log: f64) -> String {
    format!("{:+.1} %", 100.0 * log.exp_m1())
}
