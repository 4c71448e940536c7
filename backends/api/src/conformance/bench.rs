//! A session under test with the case it runs: calls that check lengths and shapes, and the judgement of logits.

use crate::verify::nmse;
use crate::{
    Backend, Batch, Device, Facts, KvType, Numerics, Options, Rows, Sequence, Session, Span, Token,
};

use super::Case;

/// Sequences a session under test holds.
pub(super) const SEQUENCES: usize = 3;
/// Positions beyond the case's tokens.
pub(super) const SPARE: usize = 8;

pub(super) struct Bench<'a> {
    pub(super) session: Box<dyn Session>,
    pub(super) case: &'a Case,
    pub(super) device: &'a Device,
    pub(super) options: &'a Options,
    pub(super) facts: Facts,
    pub(super) vocab: usize,
}

impl<'a> Bench<'a> {
    pub(super) fn open(
        backend: &dyn Backend,
        device: &'a Device,
        case: &'a Case,
        options: &'a Options,
    ) -> Result<Bench<'a>, String> {
        let session =
            backend.load(device, &case.model, options).map_err(|e| format!("load: {e}"))?;
        let facts = session.facts();
        let vocab = case.model.architecture().vocab;
        Ok(Bench { session, case, device, options, facts, vocab })
    }

    /// Empties every sequence.
    pub(super) fn empty(&mut self) -> Result<(), String> {
        (0..SEQUENCES as u32).try_for_each(|i| self.truncate(i, 0))
    }

    pub(super) fn truncate(&mut self, sequence: u32, length: usize) -> Result<(), String> {
        let to = Sequence(sequence);
        self.session.truncate(to, length).map_err(|e| format!("truncate to {length}: {e}"))?;
        self.expect_length(sequence, length)
    }

    pub(super) fn expect_length(&self, sequence: u32, expected: usize) -> Result<(), String> {
        match self.session.length(Sequence(sequence)) {
            found if found == expected => Ok(()),
            found => Err(format!("sequence {sequence} holds {found} positions, not {expected}")),
        }
    }

    /// One call; returns the logits after checking their shape and the sequences' growth.
    pub(super) fn forward(
        &mut self,
        spans: &[(u32, &[Token])],
        rows: Rows<'_>,
    ) -> Result<Vec<f32>, String> {
        let spans: Vec<Span<'_>> = spans
            .iter()
            .map(|&(sequence, tokens)| Span { sequence: Sequence(sequence), tokens })
            .collect();
        let batch = Batch { spans: &spans, rows };
        let before: Vec<usize> =
            spans.iter().map(|span| self.session.length(span.sequence)).collect();
        self.session.forward(&batch).map_err(|error| format!("forward: {error}"))?;
        for (span, before) in spans.iter().zip(before) {
            self.expect_length(span.sequence.0, before + span.tokens.len())?;
        }
        let (vocab, wanted) = (self.vocab, batch.wanted().len());
        let logits = self.session.logits().map_err(|error| format!("logits: {error}"))?;
        if logits.vocab != vocab || logits.values.len() != wanted * vocab {
            let (found, of) = (logits.values.len(), logits.vocab);
            return Err(format!("{found} logits in rows of {of}, expected {wanted} of {vocab}"));
        }
        Ok(logits.values.to_vec())
    }

    /// Empties a sequence and runs tokens through it in one call: (tokens, vocab).
    pub(super) fn alone(&mut self, sequence: u32, tokens: &[Token]) -> Result<Vec<f32>, String> {
        self.truncate(sequence, 0)?;
        self.forward(&[(sequence, tokens)], Rows::All)
    }

    /// Tokens unlike the case's, so that one sequence's rows cannot pass for another's.
    pub(super) fn other_tokens(&self, seed: usize) -> Vec<Token> {
        let vocab = self.vocab.max(1);
        let token = |t: &Token| ((*t as usize * 5 + seed * 17 + 1) % vocab) as Token;
        self.case.tokens.iter().rev().map(token).collect()
    }

    /// Rows of the expected logits.
    pub(super) fn expected(&self, rows: std::ops::Range<usize>) -> &'a [f32] {
        &self.case.expected[rows.start * self.vocab..rows.end * self.vocab]
    }

    /// Within the case's tolerance where everything is f32, within the numerics class elsewhere.
    pub(super) fn judge(&self, what: &str, actual: &[f32], expected: &[f32]) -> Result<(), String> {
        if actual.len() != expected.len() {
            return Err(format!("{what}: {} logits, expected {}", actual.len(), expected.len()));
        }
        let f32_only = (self.facts.kv, self.facts.numerics) == (KvType::F32, Numerics::F32);
        if let Some(tolerance) = self.case.tolerance.filter(|_| f32_only) {
            let error = actual.iter().zip(expected).map(|(a, e)| (a - e).abs());
            // Not `max`, which drops NaN.
            let worst = error.fold(0.0, |worst, e| if e > worst || e.is_nan() { e } else { worst });
            if worst.is_nan() || worst > tolerance {
                return Err(format!("{what}: off by {worst:e}, tolerance {tolerance:e}"));
            }
        }
        let (found, limit) = (nmse(actual, expected, self.vocab), self.facts.numerics.nmse_limit());
        if found > limit {
            return Err(format!("{what}: NMSE {found:.2e}, limit {limit:.0e}"));
        }
        Ok(())
    }
}
