//! The markdown table, with every column people see.

use yardstick_analyse::Comparison;

use crate::blocks::{Block, Field, blocks};
use crate::ratios::{groups, remarks};
use crate::sources::sources;
use crate::table::{Kind, Shape, Table, legend};

/// A GitHub-flavoured table and its footnotes.
pub fn markdown(comparison: &Comparison) -> String {
    if comparison.rows.is_empty() {
        return "No records.\n".to_owned();
    }
    let table = Table::of(comparison);
    let mut lines: Vec<Vec<String>> =
        vec![table.columns.iter().map(|column| column.title.to_owned()).collect()];
    lines.extend(table.rows.iter().map(|row| row.iter().map(cell).collect()));
    let right: Vec<bool> = table.columns.iter().map(|column| column.kind != Kind::Text).collect();
    let mut out = lay_out(&lines, &right);
    if !table.notes.is_empty() {
        out.push('\n');
    }
    for (index, note) in table.notes.iter().enumerate() {
        out.push_str(&format!("{}. {}\n", index + 1, escape(note)));
    }
    for (index, fold) in table.folds.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        out.push_str(&format!("{gap}* {}\n", escape(&fold.line())));
    }
    if let Some(legend) = legend(comparison) {
        out.push_str(&format!("\n{legend}\n"));
    }
    for source in sources(comparison) {
        out.push_str(&format!("\n{}\n", escape(&source)));
    }
    push_ratios(&mut out, comparison);
    for block in blocks(comparison) {
        push_block(&mut out, &block);
    }
    out
}

/// A section with a table, its notes, a list of what follows from it, and how to read it.
pub(crate) fn push_block(out: &mut String, block: &Block) {
    out.push_str(&format!("\n### {}\n\n", escape(&block.title)));
    let mut lines: Vec<Vec<String>> =
        vec![block.heads.iter().map(|head| escape(&head.title)).collect()];
    let field = |field: &Field| cell_text(&field.text, field.note);
    lines.extend(block.rows.iter().map(|row| row.iter().map(field).collect()));
    let right: Vec<bool> = block.heads.iter().map(|head| head.is_number).collect();
    out.push_str(&lay_out(&lines, &right));
    for (index, note) in block.notes.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        out.push_str(&format!("{gap}{}. {}\n", index + 1, escape(note)));
    }
    for (index, sentence) in block.sentences.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        out.push_str(&format!("{gap}* {}\n", escape(sentence)));
    }
    for remark in block.conclusions.iter().chain(&block.remarks) {
        out.push_str(&format!("\n{}\n", escape(remark)));
    }
}

/// A table of ratios, and what they must be held against.
fn push_ratios(out: &mut String, comparison: &Comparison) {
    let groups = groups(comparison);
    if groups.is_empty() {
        return;
    }
    let heads = ["model and test", "device", "ratio of speeds", "against", "n"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    for group in &groups {
        lines.extend(group.lines.iter().map(|line| {
            let cells = [&group.what, &line.name, &line.words, &group.against, &line.n];
            cells.map(|text| escape(text)).to_vec()
        }));
    }
    out.push('\n');
    out.push_str(&lay_out(&lines, &[false; 5]));
    for remark in remarks(comparison) {
        out.push_str(&format!("\n{}\n", escape(&remark)));
    }
}

fn cell(shape: &Shape) -> String {
    cell_text(&shape.text, shape.note)
}

fn cell_text(text: &str, note: Option<usize>) -> String {
    let note = note.map(|n| format!("<sup>{n}</sup>")).unwrap_or_default();
    format!("{}{note}", escape(text))
}

fn lay_out(lines: &[Vec<String>], right: &[bool]) -> String {
    let wide =
        |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0).max(2);
    let pad = |i: usize, text: &str| {
        let fill = " ".repeat(wide(i) - text.chars().count());
        if right[i] { format!("{fill}{text}") } else { format!("{text}{fill}") }
    };
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().enumerate().map(|(i, text)| pad(i, text)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
        if index == 0 {
            let rule = |i: usize| match right[i] {
                true => format!("{}:", "-".repeat(wide(i) - 1)),
                false => "-".repeat(wide(i)),
            };
            let rules: Vec<String> = (0..line.len()).map(rule).collect();
            out.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    out
}

/// Text that markdown takes for text, whatever it says. An underscore inside a word means nothing to it, and stays readable.
pub(crate) fn escape(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let inside = |i: usize| {
        let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
        i > 0 && word(chars.get(i - 1)) && word(chars.get(i + 1))
    };
    let mut out = String::with_capacity(text.len());
    for (i, &c) in chars.iter().enumerate() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '_' if inside(i) => out.push('_'),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '!' | '$' => {
                out.extend(['\\', c])
            }
            c => out.push(c),
        }
    }
    out
}
