//! What goes into a forward call and what comes out.

/// A token id.
pub type Token = u32;

/// A sequence's slot in the session's KV cache, 0 .. options.sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(pub u32);

/// Tokens appended to one sequence, at its current length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// Which sequence grows.
    pub sequence: Sequence,
    /// The tokens, in order; not empty.
    pub tokens: &'a [Token],
}

/// One forward call: prefill (one long span), decode (one span of one token) and batched decode (many) alike.
/// A sequence appears at most once.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The spans; their tokens in order are the batch's rows.
    pub spans: &'a [Span<'a>],
    /// Which rows need logits.
    pub rows: Rows<'a>,
}

impl Batch<'_> {
    /// Rows in the batch.
    pub fn len(&self) -> usize {
        self.spans.iter().map(|span| span.tokens.len()).sum()
    }

    /// No rows at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Indices of the rows that need logits, ascending.
    pub fn wanted(&self) -> Vec<usize> {
        match self.rows {
            Rows::None => Vec::new(),
            Rows::All => (0..self.len()).collect(),
            Rows::Mask(mask) => (0..self.len()).filter(|&i| mask.get(i) == Some(&true)).collect(),
            Rows::Last => {
                let mut end = 0;
                self.spans
                    .iter()
                    .map(|span| {
                        end += span.tokens.len();
                        end - 1
                    })
                    .collect()
            }
        }
    }
}

/// Which rows of a batch need logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows<'a> {
    /// None: the head is not computed.
    None,
    /// The last row of each span.
    Last,
    /// Every row.
    All,
    /// The rows marked true; as long as the batch.
    Mask(&'a [bool]),
}

/// Logits of the rows asked for, in row order.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'a> {
    /// Row length.
    pub vocab: usize,
    /// (rows, vocab), row-major.
    pub values: &'a [f32],
}

impl<'a> Logits<'a> {
    /// Rows held.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.vocab).unwrap_or(0)
    }

    /// One row, `row < rows()`.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.vocab..(row + 1) * self.vocab]
    }

    /// Index of the largest logit of a row; the lowest index among equals, NaN never.
    pub fn argmax(&self, row: usize) -> Token {
        let mut best = (0, f32::NEG_INFINITY);
        for (i, &value) in self.row(row).iter().enumerate() {
            if value > best.1 {
                best = (i, value);
            }
        }
        best.0 as Token
    }
}
