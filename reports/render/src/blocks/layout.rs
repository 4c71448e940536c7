//! A block as plain text: columns side by side, those with no room left out and said.

use std::collections::BTreeSet;

use super::{Block, Field};
use crate::text::superscript;

/// Room between columns.
const GAP: usize = 2;

/// The lines of the table, none wider than `width` where its first column has room; then the footnotes of the columns shown.
pub(crate) fn lay_out(block: &Block, width: usize) -> (Vec<String>, BTreeSet<usize>) {
    let mut kept: Vec<usize> = (0..block.heads.len()).collect();
    let wide = |kept: &[usize]| kept.iter().map(|&i| column(block, i) + GAP).sum::<usize>() - GAP;
    while kept.len() > 1 && wide(&kept) > width {
        let Some((place, _)) = kept
            .iter()
            .enumerate()
            .filter(|(_, i)| block.heads[**i].gives_way > 0)
            .max_by_key(|(_, i)| block.heads[**i].gives_way)
        else {
            break;
        };
        kept.remove(place);
    }
    let widths = squeeze(block, &kept, width);
    let heads: Vec<&str> = kept.iter().map(|&i| block.heads[i].title.as_str()).collect();
    let mut lines = vec![line(block, &kept, &widths, &heads)];
    lines.push("─".repeat(lines[0].chars().count().max(widths.iter().sum::<usize>())));
    for row in &block.rows {
        let texts: Vec<String> = kept.iter().map(|&i| marked(&row[i])).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        lines.push(line(block, &kept, &widths, &texts));
    }
    let left_out: Vec<&str> = (0..block.heads.len())
        .filter(|i| !kept.contains(i))
        .map(|i| block.heads[i].title.as_str())
        .collect();
    if !left_out.is_empty() {
        lines.push(format!("(no room: {})", left_out.join(", ")));
    }
    let shown = block.rows.iter().flat_map(|row| kept.iter().filter_map(|&i| row[i].note));
    (lines, shown.collect())
}

fn marked(field: &Field) -> String {
    format!("{}{}", field.text, field.note.map(superscript).unwrap_or_default())
}

/// Width of a column as it is.
fn column(block: &Block, at: usize) -> usize {
    let cells = block.rows.iter().map(|row| marked(&row[at]).chars().count());
    cells.chain([block.heads[at].title.chars().count()]).max().unwrap_or(0)
}

/// Widths of the columns that are left; where they still have no room, the widest give.
fn squeeze(block: &Block, kept: &[usize], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = kept.iter().map(|&i| column(block, i)).collect();
    while widths.iter().map(|wide| wide + GAP).sum::<usize>() > width + GAP {
        match widths.iter_mut().max() {
            Some(widest) if *widest > 4 => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn line(block: &Block, kept: &[usize], widths: &[usize], texts: &[&str]) -> String {
    let cells = kept.iter().zip(widths).zip(texts).map(|((&i, &wide), text)| {
        let text = cut(text, wide);
        let fill = " ".repeat(wide - text.chars().count());
        if block.heads[i].is_number { format!("{fill}{text}") } else { format!("{text}{fill}") }
    });
    cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
}

/// Text that fits: its end is what tells most of a text before a word.
fn cut(text: &str, wide: usize) -> String {
    let count = text.chars().count();
    if count <= wide {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(count - wide + 1).collect::<String>())
}
