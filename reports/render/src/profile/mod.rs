//! A profile, and why two cells differ: terminal, markdown, page and JSON; traces for Perfetto and stacks for flame graphs.

mod page;
mod tables;
mod trace;
pub(crate) mod words;

use serde_json::json;
use yardstick_analyse::profile::{Ledger, Pass, Profiled, held, split};

use crate::json_escape;
use crate::markdown::push_block as push_markdown;
use crate::terminal::{NARROWEST, push_block as push_text, push_wrapped};

pub use self::page::html as profile_html;
pub use self::trace::{TracedPass, folded, trace};

/// Version of the JSON below.
const VERSION: u32 = 1;

/// What is shown.
pub struct ProfileReport<'a> {
    /// The cells, measured by turns.
    pub cells: &'a [Profiled],
    /// Why the second differs from the first.
    pub ledger: Option<&'a Ledger>,
    /// A line for every layer too.
    pub layers: bool,
    /// What there is to say beside: how it was measured.
    pub remarks: &'a [String],
}

/// Text at most `width` wide.
pub fn profile_terminal(report: &ProfileReport<'_>, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    for block in tables::blocks(report) {
        push_text(&mut text, &block, width);
    }
    for remark in report.remarks {
        push_wrapped(&mut text, remark, width);
    }
    text.trim_start().to_owned()
}

/// GitHub-flavoured tables.
pub fn profile_markdown(report: &ProfileReport<'_>) -> String {
    let mut text = String::new();
    for block in tables::blocks(report) {
        push_markdown(&mut text, &block);
    }
    for remark in report.remarks {
        text += &format!("\n{}\n", crate::markdown::escape(remark));
    }
    text.trim_start().to_owned()
}

/// Everything, rounds too, as one object.
pub fn profile_json(report: &ProfileReport<'_>) -> String {
    let cells: Vec<_> = report
        .cells
        .iter()
        .map(|cell| {
            let pass = Pass::of(cell, true);
            let together = Pass::of(cell, false);
            json!({
                "cell": cell,
                "operations": together.as_ref().map(|pass| held(pass, &cell.roofs)),
                "layers": pass.as_ref().map(|pass| held(pass, &cell.roofs)),
                "split": together.as_ref().map(|pass| split(pass, &cell.roofs)),
                "counts": together.as_ref().and_then(|pass| {
                    Some(cell.counted.value()?.beside(pass))
                }),
            })
        })
        .collect();
    let sentence = report.ledger.map(words::ledger);
    let all = json!({
        "profile": VERSION, "cells": cells, "why": report.ledger, "sentence": sentence,
        "remarks": report.remarks,
    });
    json_escape(&format!("{all:#}\n"))
}
