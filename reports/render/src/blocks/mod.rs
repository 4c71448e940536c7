//! Blocks: the tables beside the table of cells, and the sentences under them, made once for terminal, markdown and page.

mod agreements;
pub(crate) mod cells;
mod depths;
mod differences;
mod history;
mod layout;
pub(crate) mod memory;
mod tasks;
pub(crate) mod tradeoffs;
mod workload;

use yardstick_analyse::Comparison;

use self::cells::Notes;
pub(crate) use self::layout::lay_out;

/// A table with what is said under it.
pub(crate) struct Block {
    /// What it shows.
    pub(crate) title: String,
    pub(crate) heads: Vec<Head>,
    pub(crate) rows: Vec<Vec<Field>>,
    /// What follows from it, a sentence a row.
    pub(crate) sentences: Vec<String>,
    /// What follows from all of it; the page says it over its pictures.
    pub(crate) conclusions: Vec<String>,
    /// Reasons of what is missing, numbered from 1.
    pub(crate) notes: Vec<String>,
    /// How to read it.
    pub(crate) remarks: Vec<String>,
}

/// A column's heading.
pub(crate) struct Head {
    pub(crate) title: String,
    pub(crate) is_number: bool,
    /// How early it gives way where there is no room: 0 never does, the largest first.
    pub(crate) gives_way: u8,
}

/// A cell: harmless text, its footnote, and more for who asks.
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) note: Option<usize>,
    pub(crate) detail: Option<String>,
}

/// Every block of a comparison, in the order of reports.
pub(crate) fn blocks(comparison: &Comparison) -> Vec<Block> {
    let mut blocks: Vec<Block> = comparison.tradeoffs.iter().map(tradeoffs::block).collect();
    blocks.extend(workload::blocks(comparison));
    blocks.extend(differences::block(comparison));
    blocks.extend(tasks::block(comparison));
    blocks.extend(agreements::block(comparison));
    blocks.extend(depths::block(comparison));
    blocks.extend(history::block(comparison));
    blocks.extend(memory::block(&comparison.memory));
    blocks
}

impl Block {
    pub(crate) fn new(title: String, heads: Vec<Head>) -> Block {
        Block {
            title,
            heads,
            rows: Vec::new(),
            sentences: Vec::new(),
            conclusions: Vec::new(),
            notes: Vec::new(),
            remarks: Vec::new(),
        }
    }

    pub(crate) fn fill(mut self, rows: Vec<Vec<Field>>, notes: Notes) -> Block {
        (self.rows, self.notes) = (rows, notes.into_texts());
        self
    }
}
