//! The page: one self-contained HTML file that asks nothing of anyone; without its script nothing is missing.

mod blocks;
mod environment;
mod imports;
mod meters;
mod page;
mod predictions;
mod ratios;
mod summary;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use yardstick_analyse::Comparison;
use yardstick_record::Record;

pub(crate) use blocks::{Section, section};
pub use page::Meta;
pub(crate) use summary::label;

/// The template, escaped by minijinja wherever it prints a value.
const TEMPLATE: &str = include_str!("report.html");
/// Sorts and filters tables, printed inside the page.
pub const SCRIPT: &str = include_str!("tables.js");
/// Its hash, the one script that the page's policy lets run.
pub const SCRIPT_HASH: &str = "sha256-0BJMDG6XiREALHaw0RyU54D88fEZ2M83di2TF9aq24E=";
/// The page's style, printed inside it.
pub const STYLE: &str = include_str!("report.css");

/// The page of a comparison. `records` are those the comparison was made of: they add the machine and the runs.
pub fn html(comparison: &Comparison, records: &[Record], meta: &Meta) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let page = page::page(comparison, records, meta, STYLE);
    let made = environment
        .render_str(TEMPLATE, Serde(page))
        .expect("the template is fixed and every value it prints is in the page");
    made + "\n"
}
