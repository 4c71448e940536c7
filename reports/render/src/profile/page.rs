//! The page of a profile: one self-contained HTML file, a roofline a cell.

use serde::Serialize;

use super::{ProfileReport, tables, words};
use crate::charts::{Chart, roofline};
use crate::html::{Meta, STYLE, Section, fill, section};
use crate::text::elide;

const TEMPLATE: &str = include_str!("page.html");
/// Characters of a line.
const LONG: usize = 400;

#[derive(Serialize)]
struct Page {
    style: &'static str,
    title: String,
    lead: Option<String>,
    generated: String,
    tool: String,
    charts: Vec<Chart>,
    blocks: Vec<Section>,
    remarks: Vec<String>,
}

/// The page.
pub fn html(report: &ProfileReport<'_>, meta: &Meta) -> String {
    let blocks = tables::blocks(report).into_iter().map(|block| section(block, Vec::new()));
    let page = Page {
        style: STYLE,
        title: elide(&meta.title, LONG),
        lead: report.ledger.map(|ledger| elide(&words::ledger(ledger), 2 * LONG)),
        generated: elide(&meta.generated, LONG),
        tool: elide(&meta.tool, LONG),
        charts: report.cells.iter().filter_map(roofline).collect(),
        blocks: blocks.collect(),
        remarks: report.remarks.iter().map(|remark| elide(remark, LONG)).collect(),
    };
    fill(TEMPLATE, page)
}
