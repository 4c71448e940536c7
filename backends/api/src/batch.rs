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
        // Between two steps of decode nothing else runs: a loop that keeps the index of each new best takes about 130 us of a
        // step for a vocabulary of 128 thousand, this one 7, or 23 from cold caches.
        const LANES: usize = 16;
        const BLOCK: usize = 64 * LANES;
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        let (mut best, mut first) = (f32::NEG_INFINITY, 0);
        let values = self.row(row);
        for (i, block) in values.chunks(BLOCK).enumerate() {
            let (lines, rest) = block.as_chunks::<LANES>();
            let mut lanes = [f32::NEG_INFINITY; LANES];
            for line in lines {
                for (lane, &value) in lanes.iter_mut().zip(line) {
                    *lane = larger(*lane, value);
                }
            }
            let most = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| larger(a, b));
            if most > best {
                (best, first) = (most, i * BLOCK);
            }
        }
        if best == f32::NEG_INFINITY {
            return 0;
        }
        let within = values[first..].iter().position(|&value| value == best);
        (first + within.unwrap_or(0)) as Token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argmax(values: &[f32]) -> Token {
        Logits { vocab: values.len(), values }.argmax(0)
    }

    /// One after the other, as the doc comment says it.
    fn plain(values: &[f32]) -> Token {
        let mut best = (0, f32::NEG_INFINITY);
        for (i, &value) in values.iter().enumerate() {
            if value > best.1 {
                best = (i, value);
            }
        }
        best.0 as Token
    }

    #[test]
    fn argmax_is_the_lowest_index_of_the_largest_and_never_a_nan() {
        let (nan, low) = (f32::NAN, f32::NEG_INFINITY);
        for (values, wanted) in [
            (vec![], 0),
            (vec![nan, nan], 0),
            (vec![nan, low], 0),
            (vec![nan, -3.0, nan], 1),
            (vec![1.0, 2.0, 2.0], 1),
            (vec![0.0, f32::INFINITY, f32::INFINITY, nan], 1),
        ] {
            assert_eq!(argmax(&values), wanted, "{values:?}");
        }
        let mut state = 7_u32;
        for len in [1, 15, 16, 17, 1023, 1024, 1025, 5000] {
            for few in [3, 1000] {
                let values: Vec<f32> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                        match state >> 20 {
                            0..40 => nan,
                            value => (value % few) as f32 - 1.0,
                        }
                    })
                    .collect();
                assert_eq!(argmax(&values), plain(&values), "{len} of {few}");
            }
        }
    }
}
