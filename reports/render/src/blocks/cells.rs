//! Cells of blocks: values with their intervals, or a footnote that says why there is none.

use yardstick_analyse::{Estimate, Quantity};
use yardstick_api::Known;
use yardstick_record::Metric;

use super::{Field, Head};
use crate::number;
use crate::table::detail;
use crate::text::elide;

/// Characters of a footnote.
const NOTE: usize = 300;
/// Characters of a record's id that find it.
const ID: usize = 12;
/// Ids listed of a value's records.
const IDS: usize = 6;

/// Footnotes; equal ones share a number.
#[derive(Default)]
pub(crate) struct Notes {
    texts: Vec<String>,
}

impl Notes {
    fn number(&mut self, reason: &str) -> usize {
        let reason = elide(reason, NOTE);
        let known = self.texts.iter().position(|text| *text == reason);
        1 + known.unwrap_or_else(|| {
            self.texts.push(reason);
            self.texts.len() - 1
        })
    }

    pub(crate) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

pub(crate) fn words(title: &str) -> Head {
    Head { title: title.to_owned(), is_number: false, gives_way: 0 }
}

pub(crate) fn number(title: String, gives_way: u8) -> Head {
    Head { title, is_number: true, gives_way }
}

pub(crate) fn text(words: String) -> Field {
    Field { text: words, note: None, detail: None }
}

fn missing(reason: &str, notes: &mut Notes) -> Field {
    Field { text: "–".to_owned(), note: Some(notes.number(reason)), detail: None }
}

/// A value that is known as it is.
pub(crate) fn known<T>(value: &Known<T>, notes: &mut Notes, write: impl Fn(&T) -> String) -> Field {
    match value {
        Known::Value(value) => text(write(value)),
        Known::Unavailable { unavailable } => missing(unavailable, notes),
    }
}

/// An estimate of a metric.
pub(crate) fn estimate(metric: Metric, value: &Known<Estimate>, notes: &mut Notes) -> Field {
    let mut field = known(value, notes, |estimate| number::estimate(metric, estimate));
    field.detail = value.value().map(|estimate| detail(metric, estimate));
    field
}

/// A quantity, with the records it comes from for who asks.
pub(crate) fn quantity(
    value: &Known<Quantity>,
    notes: &mut Notes,
    write: impl Fn(&Quantity) -> String,
    explain: impl Fn(&Estimate) -> String,
) -> Field {
    let mut field = known(value, notes, write);
    field.detail = value.value().map(|quantity| {
        let exact = || "exact".to_owned();
        let trust = quantity.estimate.as_ref().map_or_else(exact, explain);
        format!("{trust}; {}", records(&quantity.records))
    });
    field
}

/// `record 2ec994c42774`, or several.
fn records(ids: &[String]) -> String {
    let word = if ids.len() == 1 { "record" } else { "records" };
    let heads: Vec<String> =
        ids.iter().take(IDS).map(|id| id.chars().take(ID).collect::<String>()).collect();
    let more = if ids.len() > IDS { ", …" } else { "" };
    format!("{word} {}{more}", heads.join(", "))
}
