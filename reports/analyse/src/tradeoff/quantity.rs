//! The quantity: a value of a trade-off, exact or estimated, with the records it comes from.

use crate::tradeoff::pareto::Cost;
use crate::{Estimate, Interval, UnitOfStatistics};
use yardstick_record::Direction;

/// A value, how far it can be trusted, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// The value: exact, or the estimate's median.
    pub value: f64,
    /// The estimate; `None` where the value is exact, as a file's size is.
    pub estimate: Option<Estimate>,
    /// Ids of the records behind it.
    pub records: Vec<String>,
}

impl Quantity {
    pub(super) fn exact(value: f64, records: &[String]) -> Quantity {
        Quantity { value, estimate: None, records: records.to_vec() }
    }

    pub(super) fn estimated(estimate: Estimate, records: &[String]) -> Quantity {
        Quantity { value: estimate.median, estimate: Some(estimate), records: records.to_vec() }
    }

    /// Its interval, where it is estimated and has one.
    pub fn interval(&self) -> Option<&Interval> {
        self.estimate.as_ref()?.interval.value()
    }

    /// Where the true value is: the value itself, or the interval. Samples of one launch tell nothing of the next, so that
    /// theirs says nothing here.
    fn range(&self) -> Option<(f64, f64)> {
        let Some(estimate) = &self.estimate else { return Some((self.value, self.value)) };
        let speaks = estimate.unit_of_statistics != UnitOfStatistics::SamplesOfOneLaunch;
        self.interval().filter(|_| speaks).map(|interval| (interval.low, interval.high))
    }

    /// As a cost: less is better.
    pub(super) fn cost(&self, better: Direction) -> Cost {
        match better {
            Direction::Lower => Cost { value: self.value, range: self.range() },
            Direction::Higher => {
                Cost { value: -self.value, range: self.range().map(|(low, high)| (-high, -low)) }
            }
        }
    }
}
