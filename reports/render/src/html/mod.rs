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
use serde::Serialize;
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
    fill(TEMPLATE, page::page(comparison, records, meta, STYLE))
}

/// What every page shares: its policy, its head, and the header's beginning; a template extends it.
const SHELL: &str = include_str!("shell.html");

/// A self-contained page from a template that is fixed and extends `shell.html`: `page` has `style`, `title` and, where it has a script,
/// `script_hash`. Everything that is printed is escaped, but what the template calls safe.
pub fn fill(template: &'static str, page: impl Serialize) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let made = environment
        .add_template("shell.html", SHELL)
        .and_then(|()| environment.render_str(template, Serde(page)))
        .expect("the templates are fixed and every value they print is in the page");
    made + "\n"
}
