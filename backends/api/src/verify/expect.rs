//! The reference's side of a verification: the same tokens, each sequence alone, and what `generate` chose
//! put to it token by token (teacher forcing), since near-ties may legitimately be decided differently.

use super::check::row_shortfall;
use super::observe::{Generated, Group, Observation, Path};
use super::script::{
    BATCHES, BRANCH, FIRST, FORK, GENERATED, GROWTH, KEEP, OTHER, PREFILL, TOKENS, TRUNK, prompt,
};
use crate::{Batch, Error, Rows, Sequence, Session, Span, Token};

/// What the reference answers to the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Row length of the logits.
    pub vocab: usize,
    /// One entry a path, all of them.
    pub groups: Vec<Group>,
    /// The choices that were judged.
    pub generated: Generated,
    /// For each of `generated.ids`: its logit below the row's best, in standard deviations of the row;
    /// infinite for an id outside the vocabulary and all that follow it.
    pub shortfalls: Vec<f64>,
}

impl Expected {
    /// These answers judge what this observation generated; if not, [`expect`] must run again.
    pub fn covers(&self, observation: &Observation) -> bool {
        self.vocab == observation.vocab && self.generated == observation.generated
    }
}

/// Runs the script on the reference (load it with [`super::reference_options`]) and judges `generated`.
pub fn expect(
    session: &mut dyn Session,
    vocab: usize,
    generated: &Generated,
) -> Result<Expected, Error> {
    let tokens = prompt(vocab, TOKENS);
    session.truncate(Sequence(0), 0)?;
    let trunk = rows(session, vocab, &tokens[TRUNK])?;
    session.truncate(Sequence(0), KEEP)?;
    let grown = rows(session, vocab, &tokens[BRANCH[0].start..GROWTH.end])?;
    let mut shortfalls = vec![f64::INFINITY; generated.ids.len()];
    session.truncate(Sequence(0), FORK)?;
    force(session, vocab, tokens[FIRST[0]], generated, 0, &mut shortfalls)?;
    session.truncate(Sequence(0), FORK)?;
    let other = rows(session, vocab, &tokens[OTHER])?;
    force(session, vocab, tokens[FIRST[1]], generated, 1, &mut shortfalls)?;
    session.truncate(Sequence(0), 0)?;

    let at = |values: &[f32], row: usize| values[row * vocab..(row + 1) * vocab].to_vec();
    let (prefill, step) = trunk.split_at(PREFILL[1].end * vocab);
    let branch = grown[..(GROWTH.start - BRANCH[0].start) * vocab].to_vec();
    let batch = BATCHES.iter().flatten().flat_map(|(sequence, range)| {
        range.clone().flat_map(|i| match sequence {
            0 => at(&grown, i - BRANCH[0].start),
            _ => at(&other, i - OTHER.start),
        })
    });
    let groups = vec![
        Group { path: Path::Prefill, values: prefill.to_vec() },
        Group { path: Path::Step, values: step.to_vec() },
        Group { path: Path::Truncate, values: branch },
        Group { path: Path::Batch, values: batch.collect() },
    ];
    Ok(Expected { vocab, groups, generated: generated.clone(), shortfalls })
}

/// Puts one generated sequence to the reference: `first`, then every chosen token but the last.
fn force(
    session: &mut dyn Session,
    vocab: usize,
    first: Token,
    generated: &Generated,
    sequence: usize,
    shortfalls: &mut [f64],
) -> Result<(), Error> {
    let step = generated.sequences.max(1);
    let chosen: Vec<Token> =
        generated.ids.iter().copied().skip(sequence).step_by(step).take(GENERATED).collect();
    if sequence >= generated.sequences || chosen.is_empty() {
        return Ok(());
    }
    let known = chosen.iter().take_while(|&&id| (id as usize) < vocab).count();
    let forced: Vec<Token> = std::iter::once(first)
        .chain(chosen.iter().copied().take(known))
        .take(chosen.len())
        .collect();
    let values = rows(session, vocab, &forced)?;
    for (i, row) in values.chunks_exact(vocab.max(1)).enumerate() {
        shortfalls[i * step + sequence] = row_shortfall(row, chosen[i]);
    }
    Ok(())
}

/// Appends tokens to sequence 0 and returns the logits of all of them, (tokens, vocab).
fn rows(session: &mut dyn Session, vocab: usize, tokens: &[Token]) -> Result<Vec<f32>, Error> {
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All })?;
    let logits = session.logits()?;
    if (logits.rows(), logits.vocab) != (tokens.len(), vocab) {
        let (rows, expected) = (logits.rows(), tokens.len());
        let of = logits.vocab;
        let reason = format!("asked for ({expected}, {vocab}) logits, got ({rows}, {of})");
        return Err(Error::Device(reason));
    }
    Ok(logits.values.to_vec())
}
