//! Answers as they are shown and written: what was asked of which device, and a speed or the reason there is none.

use serde::Serialize;
use yardstick_api::Known;
use yardstick_record::Test;

use super::predictor::{Prediction, Question};
use super::sheet::SheetPrediction;
use super::{Predictor, Setup, Sheet, Sheets};
use crate::Interval;

/// One answer. Nothing in it was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The device's id, or the data sheet's.
    pub device: String,
    /// The device as it would run; none of a data sheet.
    pub setup: Option<Setup>,
    /// Model.
    pub model: String,
    /// Test.
    pub test: Test,
    /// Sequences at once.
    pub sequences: usize,
    /// The speed.
    pub predicted: Known<Forecast>,
}

/// What a speed was predicted from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Forecast {
    /// Cells measured on the device.
    Records(Prediction),
    /// The device's data sheet.
    DataSheet(SheetPrediction),
}

impl Answer {
    /// Of a device with measured cells.
    pub fn of_setup(
        predictor: &Predictor,
        setup: &Setup,
        model: &str,
        question: &Question<'_>,
    ) -> Answer {
        Answer {
            device: setup.device.clone(),
            setup: Some(setup.clone()),
            model: model.to_owned(),
            test: question.test,
            sequences: question.sequences,
            predicted: predictor.predict(setup, question).map(Forecast::Records),
        }
    }

    /// Of a device with a data sheet.
    pub fn of_sheet(
        sheets: &Sheets,
        sheet: &Sheet,
        model: &str,
        question: &Question<'_>,
    ) -> Answer {
        Answer {
            device: sheet.id.clone(),
            setup: None,
            model: model.to_owned(),
            test: question.test,
            sequences: question.sequences,
            predicted: sheets.predict(sheet, question).map(Forecast::DataSheet),
        }
    }
}

impl Forecast {
    /// Tokens per second.
    pub fn tokens_per_second(&self) -> f64 {
        match self {
            Forecast::Records(one) => one.tokens_per_second,
            Forecast::DataSheet(one) => one.tokens_per_second,
        }
    }

    /// Where the measured speed would lie.
    pub fn interval(&self) -> &Known<Interval> {
        match self {
            Forecast::Records(one) => &one.interval,
            Forecast::DataSheet(one) => &one.interval,
        }
    }

    /// What it stands on, in a sentence.
    pub fn ground(&self) -> String {
        match self {
            Forecast::Records(one) => records_ground(one),
            Forecast::DataSheet(one) => sheet_ground(one),
        }
    }
}

fn records_ground(one: &Prediction) -> String {
    let learnt = format!(
        "learnt from {} records of {} models ({})",
        one.records.len(),
        one.models.len(),
        one.models.join(", ")
    );
    let bar = one.error_bar.as_ref().map(|bar| {
        format!(
            "; held out {}: {} cells in {} groups, error {:.0} %",
            bar.held_out,
            bar.cells,
            bar.groups,
            100.0 * bar.error
        )
    });
    let beyond = match one.beyond.is_empty() {
        true => String::new(),
        false => format!("; outside of what was measured: {}", one.beyond.join(", ")),
    };
    format!("{learnt}{}{beyond}", bar.unwrap_or_default())
}

fn sheet_ground(one: &SheetPrediction) -> String {
    let whose = if one.class.is_some() { "its class" } else { "all classes, its own has too few" };
    format!(
        "data sheet only: {:.0} % of the number stated, as speeds published of {} devices of {whose} ({}) reached",
        100.0 * one.share,
        one.learnt_from.len(),
        one.learnt_from.join(", ")
    )
}
