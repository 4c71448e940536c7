//! The block of disagreements: where a format's next word differs most from the reference's.

use yardstick_analyse::{Comparison, Row};
use yardstick_record::{Apart, Quality, Word};

use super::Block;
use super::cells::{self, Notes};
use crate::html::label;
use crate::number;
use crate::text::elide;

/// Positions shown of a row; JSON has all that the record keeps.
const POSITIONS: usize = 4;
/// Divergences below this are the device's rounding: they would be written as 0.
const LEAST: f64 = 5e-5;
/// Characters of the text before a position: its end.
const CONTEXT: usize = 44;
/// Characters of a word.
const WORD: usize = 16;

/// The positions that were kept, the farthest of each row.
pub(super) fn block(comparison: &Comparison) -> Option<Block> {
    let rows: Vec<(&Row, &Quality)> = comparison
        .rows
        .iter()
        .filter(|row| row.cell.model.random_weights.is_none())
        .filter_map(|row| Some((row, row.quality.as_deref()?)))
        .filter(|(_, quality)| quality.farthest.iter().any(|apart| apart.kld >= LEAST))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let heads = vec![
        cells::words("model"),
        cells::words("after"),
        cells::words("reference"),
        cells::words("here"),
        cells::number("KLD".to_owned(), 0),
        super::Head { gives_way: 2, ..cells::words("device") },
        cells::number("window:position".to_owned(), 3),
    ];
    let lines = rows.iter().flat_map(|(row, quality)| {
        let apart = quality.farthest.iter().filter(|apart| apart.kld >= LEAST);
        apart.take(POSITIONS).map(|apart| line(comparison, row, apart))
    });
    let title = "Where the next word differs most from the reference's".to_owned();
    let mut block = Block::new(title, heads).fill(lines.collect(), Notes::default());
    block.remarks.push(
        "Each model's positions of largest divergence; in brackets how likely the word is held to be.".to_owned(),
    );
    Some(block)
}

fn line(comparison: &Comparison, row: &Row, apart: &Apart) -> Vec<super::Field> {
    let chars: Vec<char> = apart.context.chars().collect();
    let from = chars.len().saturating_sub(CONTEXT);
    let end: String = chars[from..].iter().collect();
    let before = if from > 0 { "…" } else { "" };
    vec![
        cells::text(elide(&row.model, 40)),
        cells::text(format!("{before}{}", elide(&end, CONTEXT))),
        cells::text(word(&apart.expected)),
        cells::text(word(&apart.found)),
        cells::text(number::digits(apart.kld)),
        cells::text(label(comparison, row)),
        cells::text(format!("{}:{}", apart.window, apart.position)),
    ]
}

/// `the (81 %)`; spaces and line breaks that are part of the word show.
fn word(word: &Word) -> String {
    let text = word.text.replace(' ', "␣").replace('\n', "⏎").replace('\t', "⇥");
    format!("{} ({:.0} %)", elide(&text, WORD), 100.0 * word.probability)
}
