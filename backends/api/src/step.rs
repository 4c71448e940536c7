//! A call checked against what a session holds, and cut into chunks: the same in every backend.

use std::ops::Range;

use crate::{Batch, Error, Rows, Sequence, Token};

/// Positions that each sequence of a session holds now.
#[derive(Clone, Debug)]
pub struct Lengths {
    of: Vec<usize>,
    context: usize,
}

/// Consecutive rows of one sequence in a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose rows they are.
    pub sequence: usize,
    /// Where the first goes.
    pub position: usize,
    /// Which rows of the step they are.
    pub rows: Range<usize>,
    /// Rows of the span they were cut from.
    pub span: usize,
}

/// A call, or a chunk of one: its tokens, whose they are, and which rows' logits are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// (rows)
    pub tokens: Vec<Token>,
    /// In the order of their rows, which they cover.
    pub pieces: Vec<Piece>,
    /// Rows whose logits are wanted, ascending.
    pub wanted: Vec<usize>,
    /// Rows of logits that earlier chunks of the call want.
    pub logits_before: usize,
}

impl Lengths {
    /// Empty sequences that can hold `context` positions each.
    pub fn new(sequences: usize, context: usize) -> Lengths {
        Lengths { of: vec![0; sequences], context }
    }

    /// How many sequences there are.
    pub fn sequences(&self) -> usize {
        self.of.len()
    }

    /// Positions each can hold.
    pub fn context(&self) -> usize {
        self.context
    }

    /// No sequence holds anything.
    pub fn is_empty(&self) -> bool {
        self.of.iter().all(|&length| length == 0)
    }

    /// Positions a sequence holds; 0 where there is no such sequence.
    pub fn get(&self, sequence: Sequence) -> usize {
        self.find(sequence).map_or(0, |(_, length)| length)
    }

    /// Index and length of a sequence.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is no such sequence.
    pub fn find(&self, sequence: Sequence) -> Result<(usize, usize), Error> {
        let index = sequence.0 as usize;
        let length = self.of.get(index).copied().ok_or_else(|| {
            Error::Invalid(format!("sequence {index} of {} (from 0)", self.of.len()))
        })?;
        Ok((index, length))
    }

    /// Shortens a sequence to `length` and gives its index.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is no such sequence, or it holds less.
    pub fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<usize, Error> {
        let (index, now) = self.find(sequence)?;
        if length > now {
            let reason = format!("sequence {index} holds {now} positions, cannot keep {length}");
            return Err(Error::Invalid(reason));
        }
        self.of[index] = length;
        Ok(index)
    }

    /// Gives `to` the length of `from`: their indices, and that length.
    ///
    /// # Errors
    /// [`Error::Invalid`] where one does not exist.
    pub fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(usize, usize, usize), Error> {
        let ((from, length), (to, _)) = (self.find(from)?, self.find(to)?);
        self.of[to] = length;
        Ok((from, to, length))
    }

    /// Counts the tokens of a whole call that has been carried out.
    pub fn grow(&mut self, step: &Step) {
        for piece in &step.pieces {
            self.of[piece.sequence] += piece.rows.len();
        }
    }
}

impl Step {
    /// A whole call as one step of any length.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what is wrong: no spans, an empty one, a sequence that is unknown, named twice or would not hold
    /// its tokens, a token beyond the vocabulary, a mask of another length.
    pub fn new(batch: &Batch<'_>, lengths: &Lengths, vocab: usize) -> Result<Step, Error> {
        let refuse = |reason: String| Err(Error::Invalid(reason));
        if batch.spans.is_empty() {
            return refuse("no spans".into());
        }
        let mut step = Step::default();
        let mut seen = vec![false; lengths.sequences()];
        for span in batch.spans {
            let (sequence, length) = lengths.find(span.sequence)?;
            let (count, context) = (span.tokens.len(), lengths.context);
            if count == 0 {
                return refuse(format!("no tokens for sequence {sequence}"));
            }
            if std::mem::replace(&mut seen[sequence], true) {
                return refuse(format!("sequence {sequence} twice"));
            }
            if count > context.saturating_sub(length) {
                return refuse(format!(
                    "sequence {sequence} holds {length} positions of {context}, {count} more do not fit"
                ));
            }
            if let Some(token) = span.tokens.iter().find(|&&token| token as usize >= vocab) {
                return refuse(format!("token {token} of a vocabulary of {vocab}"));
            }
            let first = step.tokens.len();
            step.tokens.extend_from_slice(span.tokens);
            let rows = first..first + count;
            step.pieces.push(Piece { sequence, position: length, rows, span: count });
        }
        if let Rows::Mask(mask) = batch.rows
            && mask.len() != step.tokens.len()
        {
            let (found, expected) = (mask.len(), step.tokens.len());
            return refuse(format!("a mask of {found} for {expected} rows"));
        }
        step.wanted = batch.wanted();
        Ok(step)
    }

    /// Its chunks of at most `rows` rows, in order.
    pub fn chunks(&self, rows: usize) -> impl Iterator<Item = Step> {
        let (all, rows) = (self.tokens.len(), rows.max(1));
        (0..all).step_by(rows).map(move |from| self.cut(from, all.min(from.saturating_add(rows))))
    }

    /// Rows `from .. to` as a step of their own.
    fn cut(&self, from: usize, to: usize) -> Step {
        let pieces = self.pieces.iter().filter_map(|piece| {
            let (start, end) = (piece.rows.start.max(from), piece.rows.end.min(to));
            (start < end).then(|| Piece {
                position: piece.position + start - piece.rows.start,
                rows: start - from..end - from,
                ..piece.clone()
            })
        });
        let inside = |row: &&usize| (from..to).contains(*row);
        Step {
            tokens: self.tokens[from..to].to_vec(),
            pieces: pieces.collect(),
            wanted: self.wanted.iter().filter(inside).map(|row| row - from).collect(),
            logits_before: self.wanted.iter().filter(|&&row| row < from).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn span(sequence: u32, tokens: &[Token]) -> Span<'_> {
        Span { sequence: Sequence(sequence), tokens }
    }

    #[test]
    fn chunks_keep_positions_rows_and_logits_apart() {
        let mut lengths = Lengths::new(2, 16);
        let first = [span(1, &[9; 5])];
        let held = Step::new(&Batch { spans: &first, rows: Rows::None }, &lengths, 10);
        lengths.grow(&held.expect("it fits"));
        let spans = [span(1, &[0, 1, 2, 3]), span(0, &[4, 5, 6, 7, 8, 9])];
        let mask = [0, 3, 6, 9].iter().fold([false; 10], |mut mask, &row| {
            mask[row] = true;
            mask
        });
        let batch = Batch { spans: &spans, rows: Rows::Mask(&mask) };
        let step = Step::new(&batch, &lengths, 10).expect("it fits");
        let chunks: Vec<Step> = step.chunks(4).collect();
        let piece = |sequence, position, rows, span| Piece { sequence, position, rows, span };
        assert_eq!(chunks[0].pieces, [piece(1, 5, 0..4, 4)]);
        assert_eq!(chunks[1].pieces, [piece(0, 0, 0..4, 6)]);
        assert_eq!(chunks[2].pieces, [piece(0, 4, 0..2, 6)]);
        let wanted: Vec<_> =
            chunks.iter().map(|chunk| (chunk.wanted.clone(), chunk.logits_before)).collect();
        assert_eq!(wanted, [(vec![0, 3], 0), (vec![2], 2), (vec![1], 3)]);
        let three: Vec<Step> = step.chunks(3).collect();
        assert_eq!(three[1].pieces, [piece(1, 8, 0..1, 4), piece(0, 0, 1..3, 6)]);
        assert_eq!(three.iter().map(|chunk| chunk.tokens.len()).sum::<usize>(), 10);
    }

    #[test]
    fn every_broken_call_is_refused_by_name() {
        let lengths = Lengths::new(2, 4);
        let cases: [(&[Span<'_>], &str); 6] = [
            (&[], "no spans"),
            (&[span(0, &[])], "no tokens"),
            (&[span(2, &[1])], "sequence 2 of 2"),
            (&[span(0, &[1]), span(0, &[1])], "twice"),
            (&[span(0, &[1; 5])], "5 more do not fit"),
            (&[span(0, &[10])], "token 10 of a vocabulary of 10"),
        ];
        for (spans, expected) in cases {
            let error = Step::new(&Batch { spans, rows: Rows::None }, &lengths, 10);
            let error = error.expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let spans = [span(0, &[1, 2])];
        let batch = Batch { spans: &spans, rows: Rows::Mask(&[true]) };
        let error = Step::new(&batch, &lengths, 10).expect_err("a short mask").to_string();
        assert!(error.contains("a mask of 1 for 2 rows"), "{error}");
    }

    #[test]
    fn lengths_follow_calls_truncation_and_copies() {
        let mut lengths = Lengths::new(2, 8);
        assert!(lengths.is_empty());
        let spans = [span(0, &[1, 2, 3])];
        let batch = Batch { spans: &spans, rows: Rows::Last };
        let step = Step::new(&batch, &lengths, 10).expect("it fits");
        assert_eq!(step.wanted, [2]);
        lengths.grow(&step);
        assert_eq!(lengths.copy(Sequence(0), Sequence(1)).expect("both exist"), (0, 1, 3));
        assert!(lengths.truncate(Sequence(0), 4).is_err(), "it holds 3");
        assert_eq!(lengths.truncate(Sequence(0), 1).expect("it holds 3"), 0);
        assert_eq!((lengths.get(Sequence(0)), lengths.get(Sequence(1))), (1, 3));
        assert_eq!(lengths.get(Sequence(7)), 0);
    }
}
