//! One check of a canary: a quantile of a metric, or the error rate.

use serde::Serialize;

use super::Plan;
use super::share::Share;
use crate::estimate::sorted;
use crate::gate::{share_above, share_below};
use crate::{Interval, binomial_cdf};

/// Where a check, a phase or a canary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Shown to be good enough.
    Continue,
    /// Shown to be worse than is tolerated.
    Rollback,
    /// Neither yet.
    NeedMore,
}

/// Tolerances and the errors of one check.
pub(super) struct Limits {
    floor: f64,
    caught: f64,
    /// Chance of being wrong of the baseline's bound and of the candidate's test, half each.
    alpha: f64,
    beta: f64,
}

impl Limits {
    /// Each check of `share` that divide the budgets.
    pub(super) fn of(plan: &Plan, share: f64) -> Limits {
        Limits {
            floor: plan.floor,
            caught: plan.caught,
            alpha: plan.alpha / share / 2.0,
            beta: plan.beta / share / 2.0,
        }
    }
}

/// A quantile of a metric, or the error rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// The metric; `None` for the error rate.
    pub metric: Option<String>,
    /// More of it is better: its costs are one over its values.
    pub higher: bool,
    /// The quantile of its costs.
    pub quantile: Option<f64>,
    /// The baseline's quantile (of costs) or error rate, between bounds that hold it; none where it has too few values.
    pub baseline: Option<Interval>,
    /// A cost above which more than its share rolls back, and one below which all but its share continues; of the error rate,
    /// costs are 0 or 1.
    pub limits: [f64; 2],
    /// Where it stands; once told it stays.
    pub standing: Standing,
    worse: Share,
    fine: Share,
    #[serde(skip)]
    alpha: f64,
    #[serde(skip)]
    beta: f64,
}

impl Check {
    pub(super) fn quantiles(
        (metric, higher): (&str, bool),
        costs: Vec<f64>,
        quantiles: &[f64],
        limits: &Limits,
    ) -> Vec<Check> {
        let costs = sorted(&costs);
        let check = |&q: &f64| {
            let baseline = bounds(&costs, q, limits);
            let (low, high) = baseline.map_or((0.0, f64::INFINITY), |i| (i.low, i.high));
            Check {
                metric: Some(metric.to_owned()),
                higher,
                quantile: Some(q),
                baseline,
                limits: [(1.0 + limits.floor) * high, (1.0 + limits.caught) * low],
                standing: Standing::NeedMore,
                worse: Share::new(1.0 - q),
                fine: Share::new(1.0 - q),
                alpha: limits.alpha,
                beta: limits.beta,
            }
        };
        quantiles.iter().map(check).collect()
    }

    pub(super) fn errors((errors, all): (usize, usize), plan: &Plan, limits: &Limits) -> Check {
        let high = share_above(errors, all, limits.alpha).unwrap_or(1.0);
        let low = share_below(errors, all, limits.beta).unwrap_or(0.0);
        Check {
            metric: None,
            higher: false,
            quantile: None,
            baseline: Some(Interval { low, high, confidence: 1.0 - limits.alpha - limits.beta }),
            limits: [0.5, 0.5],
            standing: Standing::NeedMore,
            worse: Share::new((high + plan.error_floor).min(1.0)),
            fine: Share::new((low + plan.error_caught).min(1.0)),
            alpha: limits.alpha,
            beta: limits.beta,
        }
    }

    pub(super) fn count(&mut self, cost: f64) {
        self.worse.count(cost > self.limits[0]);
        self.fine.count(cost > self.limits[1]);
        if self.standing == Standing::NeedMore {
            if self.worse.is_above(self.alpha) {
                self.standing = Standing::Rollback;
            } else if self.fine.is_below(self.beta) {
                self.standing = Standing::Continue;
            }
        }
    }

    /// Values seen.
    pub fn n(&self) -> u64 {
        self.worse.n
    }

    /// Share of values beyond the limit of rolling back, and the share that is tolerated.
    pub fn beyond(&self) -> (f64, f64) {
        (self.worse.hits as f64 / (self.worse.n.max(1)) as f64, self.worse.bound)
    }

    /// Share of values beyond the limit of continuing, and the share that it must be below.
    pub fn above_caught(&self) -> (f64, f64) {
        (self.fine.hits as f64 / (self.fine.n.max(1)) as f64, self.fine.bound)
    }
}

/// Order statistics below and above the baseline's quantile; `None` where it has too few values for either.
fn bounds(costs: &[f64], quantile: f64, limits: &Limits) -> Option<Interval> {
    let cdf = binomial_cdf(costs.len(), quantile);
    let low = cdf.iter().take_while(|&&c| c <= limits.beta).count();
    let high = cdf.iter().position(|&c| c >= 1.0 - limits.alpha)? + 1;
    let confidence = 1.0 - limits.alpha - limits.beta;
    (low > 0 && high <= costs.len()).then(|| Interval {
        low: costs[low - 1],
        high: costs[high - 1],
        confidence,
    })
}
