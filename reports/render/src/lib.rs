//! Comparisons as terminal text, markdown, CSV, JSON and HTML: strings in, strings out, nothing read or written.
//! Every text that comes from a record is hostile until it went through `text`.
#![forbid(unsafe_code)]

mod blocks;
mod canary;
mod charts;
mod check;
mod columns;
mod csv;
mod csv_tradeoffs;
mod exits;
mod folds;
mod html;
mod json;
mod json_tradeoffs;
mod markdown;
mod memory;
mod number;
mod predictions;
mod profile;
mod ratios;
mod recommend;
mod route;
mod sides;
mod soak;
mod sources;
mod table;
mod terminal;
mod text;
mod tune;

pub use canary::{canary, canary_json};
pub use charts::trend;
pub use check::{check, check_json};
pub use csv::{csv, csv_field};
pub use csv_tradeoffs::csv_tradeoffs;
pub use exits::{exits, exits_json};
pub use html::{Meta, SCRIPT, SCRIPT_HASH, STYLE, fill, html};
pub use json::{json, json_escape};
pub use markdown::markdown;
pub use memory::{memory_json, memory_markdown, memory_terminal};
pub use number::full as quantity;
pub use predictions::{held_out, predictions};
pub use profile::{
    ProfileReport, TracedPass, folded, profile_html, profile_json, profile_markdown,
    profile_terminal, trace,
};
pub use ratios::words as difference;
pub use recommend::{recommend, recommend_json};
pub use route::{route, route_html, route_json};
pub use sides::{sides_csv, sides_html, sides_json, sides_markdown, sides_terminal};
pub use terminal::terminal;
pub use text::{clean, elide};
pub use tune::{tune, tune_json};
