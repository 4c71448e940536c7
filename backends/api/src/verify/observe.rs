//! The device's side of a verification: run the script, keep every logit.

use std::ops::{ControlFlow, Range};

use serde::{Deserialize, Serialize};

use super::script::{
    BATCHES, BRANCH, CONTEXT, FIRST, FORK, GENERATED, KEEP, PREFILL, TOKENS, TRUNK, prompt,
};
use crate::{Batch, Error, Rows, Sequence, Session, Span, Token, Unsupported};

/// A way of running tokens that can be wrong on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Many tokens at once, the second call continuing the first.
    Prefill,
    /// One token at a time.
    Step,
    /// Other tokens over a sequence that was cut short: nothing of the old ones may remain.
    Truncate,
    /// Two sequences of different lengths at once, one begun as a copy of the other.
    Batch,
}

impl Path {
    /// Every path, in the order they run.
    pub const ALL: [Path; 4] = [Path::Prefill, Path::Step, Path::Truncate, Path::Batch];

    /// The name of its check.
    pub fn name(self) -> &'static str {
        match self {
            Path::Prefill => "prefill",
            Path::Step => "step",
            Path::Truncate => "truncate",
            Path::Batch => "batch",
        }
    }
}

/// The logits of one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How they came about.
    pub path: Path,
    /// (rows, vocab), row-major.
    pub values: Vec<f32>,
}

/// What `generate` chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generated {
    /// Sequences that generated.
    pub sequences: usize,
    /// The ids as emitted: `ids[step * sequences + sequence]`.
    pub ids: Vec<Token>,
}

/// Everything a device answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Row length of the logits.
    pub vocab: usize,
    /// One entry a path that ran; `Batch` only where the session holds two sequences.
    pub groups: Vec<Group>,
    /// What it generated.
    pub generated: Generated,
}

/// Runs the script on a session, which needs room for [`CONTEXT`] positions; uses sequences 0 and,
/// where there is one, 1. Leaves both empty.
pub fn observe(session: &mut dyn Session, vocab: usize) -> Result<Observation, Error> {
    let facts = session.facts();
    if facts.context < CONTEXT {
        let reason =
            format!("verification takes {CONTEXT} positions, the context holds {}", facts.context);
        let fix = Some(format!("set context to at least {CONTEXT}"));
        return Err(Unsupported { reason, fix }.into());
    }
    let two = facts.sequences >= 2;
    empty(session, two)?;
    let mut run = Run { session, vocab, tokens: prompt(vocab, TOKENS), groups: Vec::new() };
    run.prefill_then_step()?;
    run.truncate()?;
    if two {
        run.batch()?;
    }
    let generated = run.generate(two)?;
    let groups = run.groups;
    empty(session, two)?;
    Ok(Observation { vocab, groups, generated })
}

fn empty(session: &mut dyn Session, two: bool) -> Result<(), Error> {
    session.truncate(Sequence(0), 0)?;
    if two { session.truncate(Sequence(1), 0) } else { Ok(()) }
}

struct Run<'a> {
    session: &'a mut dyn Session,
    vocab: usize,
    tokens: Vec<Token>,
    groups: Vec<Group>,
}

impl Run<'_> {
    fn prefill_then_step(&mut self) -> Result<(), Error> {
        for span in PREFILL {
            self.forward(Path::Prefill, &[(0, span)])?;
        }
        for i in PREFILL[1].end..TRUNK.end {
            self.forward(Path::Step, &[(0, i..i + 1)])?;
        }
        Ok(())
    }

    fn truncate(&mut self) -> Result<(), Error> {
        self.session.truncate(Sequence(0), KEEP)?;
        BRANCH.into_iter().try_for_each(|span| self.forward(Path::Truncate, &[(0, span)]))
    }

    fn batch(&mut self) -> Result<(), Error> {
        self.session.copy(Sequence(0), Sequence(1))?;
        self.session.truncate(Sequence(1), FORK)?;
        BATCHES.iter().try_for_each(|spans| self.forward(Path::Batch, spans))
    }

    fn generate(&mut self, two: bool) -> Result<Generated, Error> {
        self.session.truncate(Sequence(0), FORK)?;
        let first: Vec<_> = (0..1 + usize::from(two))
            .map(|i| (Sequence(i as u32), self.tokens[FIRST[i]]))
            .collect();
        let mut ids = Vec::new();
        self.session.generate(&first, GENERATED, &mut |_, emitted| {
            ids.extend_from_slice(emitted);
            ControlFlow::Continue(())
        })?;
        Ok(Generated { sequences: first.len(), ids })
    }

    /// One call with logits of every row, appended to the path's group.
    fn forward(&mut self, path: Path, spans: &[(u32, Range<usize>)]) -> Result<(), Error> {
        let spans: Vec<Span<'_>> = spans
            .iter()
            .map(|(sequence, range)| Span {
                sequence: Sequence(*sequence),
                tokens: &self.tokens[range.clone()],
            })
            .collect();
        let batch = Batch { spans: &spans, rows: Rows::All };
        self.session.forward(&batch)?;
        let logits = self.session.logits()?;
        if (logits.vocab, logits.rows()) != (self.vocab, batch.len()) {
            return Err(Error::Device(format!(
                "{}: asked for ({}, {}) logits, got ({}, {})",
                path.name(),
                batch.len(),
                self.vocab,
                logits.rows(),
                logits.vocab
            )));
        }
        match self.groups.last_mut() {
            Some(group) if group.path == path => group.values.extend_from_slice(logits.values),
            _ => self.groups.push(Group { path, values: logits.values.to_vec() }),
        }
        Ok(())
    }
}
