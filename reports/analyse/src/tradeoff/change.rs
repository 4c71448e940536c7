//! Changes: a candidate against the baseline, as a ratio that says whether it is shown.

use crate::tradeoff::quantity::Quantity;
use crate::{Difference, Interval, Noise, Row, Versus, windowed_change};
use yardstick_record::Direction;

/// A candidate's value over the baseline's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The ratio.
    pub ratio: f64,
    /// Its interval, where it is one of speeds or of perplexities and has one.
    pub interval: Option<Interval>,
    /// What it shows.
    pub difference: Difference,
}

impl Change {
    /// Of two speeds, launch by launch where they were measured in the same rounds.
    pub(super) fn of_speeds(row: &Row, baseline: &Row, noise: Option<&Noise>) -> Option<Change> {
        // The index is where a comparison's ratio points; a change points nowhere.
        let versus = Versus::across(row, (baseline, 0), noise)?;
        Some(Change {
            ratio: versus.ratio.median,
            interval: versus.ratio.interval.value().copied(),
            difference: versus.difference,
        })
    }

    /// Of two perplexities, window by window of the same text.
    pub(super) fn of_perplexities(row: &Row, baseline: &Row) -> Option<Change> {
        let change = windowed_change(row.quality.as_ref()?, baseline.quality.as_ref()?)?;
        let Interval { low, high, .. } = change.ratio_interval;
        let shown = low > 1.0 || high < 1.0;
        Some(Change {
            ratio: change.ratio,
            interval: Some(change.ratio_interval),
            difference: if shown { Difference::Shown } else { Difference::NotShown },
        })
    }

    /// Of two values that are exact, or estimated apart: shown where their intervals do not meet.
    pub(super) fn of_values(value: &Quantity, baseline: &Quantity) -> Option<Change> {
        let ratio = value.value / baseline.value;
        let [a, b] = [value, baseline].map(|quantity| quantity.cost(Direction::Lower).range);
        let difference = match (a, b) {
            (Some(a), Some(b)) if a.1 < b.0 || b.1 < a.0 => Difference::Shown,
            (Some(_), Some(_)) => Difference::NotShown,
            _ => Difference::NoInterval,
        };
        ratio.is_finite().then_some(Change { ratio, interval: None, difference })
    }
}
