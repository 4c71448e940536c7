//! The figure: a value with where it lies, what it stands on, and the records behind it.

use serde::Serialize;

use crate::predict::Forecast;
use crate::{Estimate, UnitOfStatistics};

/// What a figure stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Records of this very cell.
    Measured,
    /// The last quarter of a soak.
    Sustained,
    /// Other figures, by arithmetic.
    Computed,
    /// Records of other cells, by the predictor.
    Predicted,
    /// A data sheet.
    DataSheet,
    /// What the user says.
    Stated,
}

impl Basis {
    /// For people; nothing where it was measured.
    pub fn words(self) -> &'static str {
        match self {
            Basis::Measured => "",
            Basis::Sustained => "sustained",
            Basis::Computed => "computed",
            Basis::Predicted => "predicted",
            Basis::DataSheet => "data sheet",
            Basis::Stated => "stated",
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// In the unit of its quantity.
    pub value: f64,
    /// Where the true value lies, 95 %; both ends the value where it is exact, none where nothing is known.
    pub range: Option<(f64, f64)>,
    /// What it stands on.
    pub basis: Basis,
    /// Ids of the records behind it.
    pub records: Vec<String>,
    /// How it came about, where that is not plain.
    pub note: Option<String>,
}

impl Figure {
    /// Of an estimate in another unit. Samples of one launch tell nothing of the next.
    pub(super) fn measured(estimate: &Estimate, factor: f64, records: &[String]) -> Figure {
        let speaks = estimate.unit_of_statistics != UnitOfStatistics::SamplesOfOneLaunch;
        let interval = estimate.interval.value().filter(|_| speaks);
        Figure {
            value: estimate.median * factor,
            range: interval.map(|interval| (interval.low * factor, interval.high * factor)),
            basis: Basis::Measured,
            records: records.to_vec(),
            note: None,
        }
    }

    pub(super) fn exact(value: f64, basis: Basis, note: Option<String>) -> Figure {
        Figure { value, range: Some((value, value)), basis, records: Vec::new(), note }
    }

    pub(super) fn forecast(forecast: &Forecast) -> Figure {
        let (basis, records) = match forecast {
            Forecast::Records(one) => (Basis::Predicted, one.records.clone()),
            Forecast::DataSheet(_) => (Basis::DataSheet, Vec::new()),
        };
        Figure {
            value: forecast.tokens_per_second(),
            range: forecast.interval().value().map(|interval| (interval.low, interval.high)),
            basis,
            records,
            note: Some(forecast.ground()),
        }
    }

    /// The same, slower by the share that a soak ended at.
    pub(super) fn sustained(&self, speed: f64, record: &str) -> Figure {
        let share = speed / self.value;
        Figure {
            value: speed,
            range: self.range.map(|(low, high)| (low * share, high * share)),
            basis: Basis::Sustained,
            records: self.records.iter().cloned().chain([record.to_owned()]).collect(),
            note: Some(format!("a soak ended at {:.0} % of the short test", 100.0 * share)),
        }
    }
}
