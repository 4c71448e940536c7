//! The blocks of the page, those of trade-offs with their pictures.

use serde::Serialize;
use yardstick_analyse::Comparison;

use crate::blocks::{Block, blocks};
use crate::charts::{Chart, fronts};

/// A block as the template prints it.
#[derive(Serialize)]
pub(crate) struct Section {
    title: String,
    charts: Vec<Chart>,
    heads: Vec<Heading>,
    rows: Vec<Vec<Field>>,
    notes: Vec<String>,
    sentences: Vec<String>,
    conclusions: Vec<String>,
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct Heading {
    title: String,
    is_number: bool,
}

#[derive(Serialize)]
struct Field {
    text: String,
    note: Option<usize>,
    detail: Option<String>,
    is_number: bool,
}

/// Every block; those of trade-offs come first and in their order.
pub(super) fn sections(comparison: &Comparison) -> Vec<Section> {
    let charts = comparison.tradeoffs.iter().map(fronts);
    let charts = charts.chain(std::iter::repeat_with(Vec::new));
    blocks(comparison)
        .into_iter()
        .zip(charts)
        .map(|(block, charts)| section(block, charts))
        .collect()
}

/// A block for the page, with its pictures.
pub(crate) fn section(block: Block, charts: Vec<Chart>) -> Section {
    let is_number: Vec<bool> = block.heads.iter().map(|head| head.is_number).collect();
    let row = |row: Vec<crate::blocks::Field>| {
        let fields = row.into_iter().zip(&is_number);
        let field = |(field, &is_number): (crate::blocks::Field, &bool)| Field {
            text: field.text,
            note: field.note,
            detail: field.detail,
            is_number,
        };
        fields.map(field).collect()
    };
    Section {
        charts,
        rows: block.rows.into_iter().map(row).collect(),
        heads: block
            .heads
            .into_iter()
            .map(|head| Heading { title: head.title, is_number: head.is_number })
            .collect(),
        title: block.title,
        notes: block.notes,
        sentences: block.sentences,
        conclusions: block.conclusions,
        remarks: block.remarks,
    }
}
