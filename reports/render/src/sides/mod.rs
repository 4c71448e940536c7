//! Sides held against each other, for terminal, markdown, page, CSV and JSON.

mod csv;
mod page;
mod table;
mod words;

use serde_json::json;
use yardstick_analyse::sides::Sides;

use crate::json_escape;
use crate::markdown::push_block as push_markdown;
use crate::terminal::{NARROWEST, push_block as push_text};

pub use self::csv::csv as sides_csv;
pub use self::page::html as sides_html;

/// Version of the JSON below.
const VERSION: u32 = 1;

/// Text at most `width` wide. `all`: every line, also those without a difference.
pub fn sides_terminal(sides: &Sides, width: usize, all: bool) -> String {
    let mut text = String::new();
    for (at, block) in table::blocks(sides, all).iter().enumerate() {
        let from = if at == 0 { 1 } else { 0 };
        let mut part = String::new();
        push_text(&mut part, block, width.max(NARROWEST));
        // The first block begins the page.
        text += &part[from.min(part.len())..];
    }
    text
}

/// GitHub-flavoured tables.
pub fn sides_markdown(sides: &Sides, all: bool) -> String {
    let mut text = String::new();
    for block in table::blocks(sides, all) {
        push_markdown(&mut text, &block);
    }
    text.trim_start().to_owned()
}

/// Everything, as one object.
pub fn sides_json(sides: &Sides) -> String {
    let text = serde_json::to_string_pretty(&json!({ "compare": VERSION, "comparison": sides }));
    json_escape(&text.expect("plain data is JSON")) + "\n"
}
