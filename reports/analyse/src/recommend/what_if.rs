//! What if: candidates that nobody measured, by the predictor. Every figure says so.

use std::collections::BTreeMap;

use yardstick_api::{Known, Options};
use yardstick_model::ModelInfo;
use yardstick_record::Test;

use super::candidate::Candidate;
use super::figure::{Basis, Figure};
use super::need::{Needs, What};
use crate::predict::{Answer, Predictor, Question, Setup, Sheet, Sheets, Work};

/// What is asked instead of what was measured.
#[derive(Clone, Copy, Debug)]
pub struct WhatIf<'a> {
    /// The model's name.
    pub name: &'a str,
    /// The model.
    pub model: &'a ModelInfo,
    /// Context before the answer.
    pub depth: usize,
    /// Sequences generated together.
    pub sequences: usize,
}

impl WhatIf<'_> {
    /// On a device that others were measured on.
    pub fn on_setup(&self, predictor: &Predictor, setup: &Setup, needs: &Needs) -> Candidate {
        let of = |question: &Question<'_>| Answer::of_setup(predictor, setup, self.name, question);
        let figures = self.figures(needs, &of);
        self.candidate(setup.device.clone(), setup.machine.clone(), figures)
    }

    /// On a device of which there is a data sheet only.
    pub fn on_sheet(&self, sheets: &Sheets, sheet: &Sheet, needs: &Needs) -> Candidate {
        let of = |question: &Question<'_>| Answer::of_sheet(sheets, sheet, self.name, question);
        let mut figures = self.figures(needs, &of);
        if let Some(watts) = &sheet.watts {
            let note = Some(format!("{} ({})", watts.quote, watts.source));
            let figure = Figure::exact(watts.value, Basis::DataSheet, note);
            figures.insert(What::Watts, Known::Value(figure));
        }
        figures.insert(What::Price, price(sheet, needs));
        let mut candidate = self.candidate(sheet.id.clone(), sheet.name.clone(), figures);
        candidate.class = Some(sheet.class);
        candidate
    }

    fn candidate(
        &self,
        device: String,
        machine: String,
        figures: BTreeMap<What, Known<Figure>>,
    ) -> Candidate {
        let mut options = vec!["predicted".to_owned()];
        if self.sequences > 1 {
            options.push(format!("sequences {}", self.sequences));
        }
        Candidate {
            device,
            machine,
            model: self.name.to_owned(),
            quantisation: self.name.rsplit_once(':').map_or("", |(_, format)| format).to_owned(),
            options: options.join(", "),
            class: None,
            figures,
            barred: None,
            random_weights: None,
            soaked: false,
            rerun: None,
            measured_as: None,
            licence: None,
        }
    }

    fn figures(
        &self,
        needs: &Needs,
        answer: &dyn Fn(&Question<'_>) -> Answer,
    ) -> BTreeMap<What, Known<Figure>> {
        let count = |tokens: f64, least: usize| (tokens as usize).max(least);
        let work = &needs.workload;
        let decode = Test::Generate { tokens: count(work.answer_tokens, 1), depth: self.depth };
        let prefill = Test::Prefill {
            tokens: if work.prompt_tokens > 0.0 { count(work.prompt_tokens, 1) } else { PROMPT },
            depth: 0,
        };
        let speed = |test: Test| {
            let question = Question { model: self.model, test, sequences: self.sequences };
            answer(&question).predicted.map(|forecast| Figure::forecast(&forecast))
        };
        BTreeMap::from([
            (What::TokensPerSecond, speed(decode)),
            (What::PrefillTokensPerSecond, speed(prefill)),
            (What::MemoryGib, self.memory(decode)),
            (What::Watts, Known::unavailable("nothing was metered: power is not predicted")),
            (What::Price, Known::unavailable("no [[machine]] of the needs states its price")),
        ])
    }

    /// Weights, keys and values: what is held besides is not counted.
    fn memory(&self, test: Test) -> Known<Figure> {
        let options = Options { sequences: self.sequences, ..Options::default() };
        match Work::of(self.model, test, &options) {
            Some(work) => Known::Value(Figure {
                value: work.held_bytes / f64::from(1 << 30),
                range: None,
                basis: Basis::Predicted,
                records: Vec::new(),
                note: Some("weights, keys and values only".to_owned()),
            }),
            None => Known::unavailable(format!("{test} holds no keys and values")),
        }
    }
}

/// Prompt of a question that none is given for.
const PROMPT: usize = 512;

fn price(sheet: &Sheet, needs: &Needs) -> Known<Figure> {
    match &sheet.price {
        Some(price) if price.currency == needs.currency => {
            let note = format!("{}, {} ({})", price.date, price.quote, price.source);
            Known::Value(Figure::exact(price.value, Basis::DataSheet, Some(note)))
        }
        Some(price) => Known::unavailable(format!(
            "the catalogue has {} {} of {}, the needs are in {}: state it in a [[machine]]",
            price.value, price.currency, price.date, needs.currency
        )),
        None => Known::unavailable("the catalogue has no price of it"),
    }
}
