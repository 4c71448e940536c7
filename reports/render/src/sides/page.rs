//! The page of sides: one self-contained HTML file.

use serde::Serialize;
use yardstick_analyse::sides::Sides;

use super::table;
use crate::html::{Meta, SCRIPT, SCRIPT_HASH, STYLE, Section, fill, section};
use crate::text::elide;

const TEMPLATE: &str = include_str!("page.html");
/// Characters of a name, of a list.
const LONG: usize = 200;

#[derive(Serialize)]
struct Page {
    style: &'static str,
    script: &'static str,
    script_hash: &'static str,
    title: String,
    generated: String,
    tool: String,
    blocks: Vec<Section>,
    sides: Vec<About>,
}

#[derive(Serialize)]
struct About {
    name: String,
    records: usize,
    runs: String,
    machines: String,
    programs: String,
    models: String,
}

/// The page, every line on it.
pub fn html(sides: &Sides, meta: &Meta) -> String {
    let list = |set: &std::collections::BTreeSet<String>| {
        elide(&set.iter().cloned().collect::<Vec<_>>().join(", "), LONG)
    };
    let abouts = sides.sides.iter().map(|about| About {
        name: elide(&about.name, LONG),
        records: about.records,
        runs: list(&about.runs),
        machines: list(&about.machines),
        programs: list(&about.programs),
        models: list(&about.models),
    });
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        script_hash: SCRIPT_HASH,
        title: elide(&meta.title, LONG),
        generated: elide(&meta.generated, LONG),
        tool: elide(&meta.tool, LONG),
        blocks: table::blocks(sides, true).into_iter().map(|b| section(b, Vec::new())).collect(),
        sides: abouts.collect(),
    };
    fill(TEMPLATE, page)
}
