//! The conformance suite and the verification are themselves tested: sessions with one fault each, all caught.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod tiny;

use std::ops::ControlFlow;
use std::sync::Arc;

use yardstick_api::verify::{Observation, compare, expect, observe, reference_options};
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, Emit, Error, Facts, Footprint, Logits, Numerics, Options,
    Rows, Sequence, Session, Span, Token, Unsupported, conformance,
};
use yardstick_model::{Model, ModelInfo};
use yardstick_null::Null;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// A row reads the stale row behind it.
    StaleRow,
    /// A copy lacks the last position's content.
    ShortCopy,
    /// A copy shares later growth with its origin's slot: the origin takes the copy's place.
    MovedCopy,
    /// Single tokens land one position too far.
    StepShifted,
    /// A call forgets what earlier calls of more than one token left.
    Forgets,
    /// The second span of a batch continues the first's sequence.
    MixedSpans,
    /// Logits of a batch come in sequence order instead of span order.
    SortedRows,
    /// Logits of the last row only, whatever was asked.
    LastRowOnly,
    /// Generation takes the token after the best.
    NextBest,
    /// Generated ids are emitted sequence by sequence.
    SequenceMajor,
    /// `emit` cannot stop it.
    Unstoppable,
    /// An invalid token is noticed only after the sequence grew.
    GrowsOnError,
    /// The context has no end.
    Endless,
    /// Empties the other sequences on truncation.
    TruncatesAll,
}

/// Faults that a verification, which only looks at answers, must see too.
const SEEN_BY_VERIFICATION: &[Fault] = &[
    Fault::StaleRow,
    Fault::ShortCopy,
    Fault::StepShifted,
    Fault::Forgets,
    Fault::MixedSpans,
    Fault::SortedRows,
    Fault::NextBest,
    Fault::SequenceMajor,
];

/// The rest, which only the conformance suite sees.
const SEEN_BY_CONFORMANCE: &[Fault] = &[
    Fault::MovedCopy,
    Fault::LastRowOnly,
    Fault::Unstoppable,
    Fault::GrowsOnError,
    Fault::Endless,
    Fault::TruncatesAll,
];

struct Mutant {
    honest: Box<dyn Session>,
    fault: Fault,
    context: usize,
    /// Tokens of each sequence, with whatever lies behind its length.
    rows: Vec<Vec<Token>>,
    lengths: Vec<usize>,
    logits: Vec<f32>,
}

impl Mutant {
    /// What the fault makes of the tokens up to and with `position`.
    fn answer(&self, sequence: usize, position: usize, calls: (usize, usize)) -> Vec<f32> {
        let (start, length) = calls;
        let mut tokens = self.rows[sequence][..=position].to_vec();
        match self.fault {
            Fault::StaleRow => tokens.extend(self.rows[sequence].get(position + 1)),
            Fault::StepShifted if length == 1 => tokens.insert(position, 0),
            Fault::Forgets if length > 1 => drop(tokens.drain(..start)),
            _ => {}
        }
        let all = yardstick_null::logits(&tokens, tiny::VOCAB);
        all[all.len() - tiny::VOCAB..].to_vec()
    }
}

impl Session for Mutant {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let honest = self.honest.forward(batch);
        let full = |span: &Span<'_>| self.length(span.sequence) + span.tokens.len() > self.context;
        if self.fault == Fault::Endless && batch.spans.iter().any(full) {
            return Ok(());
        }
        if let (Err(error), Fault::GrowsOnError) = (&honest, self.fault)
            && error.to_string().contains("token")
        {
            self.lengths[0] += 1;
        }
        honest?;
        let (mut answers, mut order) = (Vec::new(), Vec::new());
        for (i, span) in batch.spans.iter().enumerate() {
            let own = span.sequence.0 as usize;
            let start = self.lengths[own];
            for (j, &token) in span.tokens.iter().enumerate() {
                match self.rows[own].get_mut(start + j) {
                    Some(row) => *row = token,
                    None => self.rows[own].push(token),
                }
                let mut sequence = own;
                if self.fault == Fault::MixedSpans && i == 1 {
                    sequence = batch.spans[0].sequence.0 as usize;
                }
                let position = (start + j).min(self.rows[sequence].len() - 1);
                answers.push(self.answer(sequence, position, (start, span.tokens.len())));
                order.push(own);
            }
            self.lengths[own] += span.tokens.len();
        }
        let mut wanted = batch.wanted();
        match self.fault {
            Fault::LastRowOnly if wanted.len() > 1 => {
                wanted = vec![answers.len() - 1; wanted.len()]
            }
            Fault::SortedRows => wanted.sort_by_key(|&row| order[row]),
            _ => {}
        }
        self.logits = wanted.iter().flat_map(|&row| answers[row].clone()).collect();
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        Ok(Logits { vocab: tiny::VOCAB, values: &self.logits })
    }

    fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        let mut ids: Vec<Token> = first.iter().map(|&(_, token)| token).collect();
        let (mut all, mut stopped) = (Vec::new(), false);
        for step in 0..n {
            let tokens: Vec<[Token; 1]> = ids.iter().map(|&id| [id]).collect();
            let spans = first.iter().zip(&tokens);
            let spans: Vec<Span<'_>> =
                spans.map(|(&(sequence, _), tokens)| Span { sequence, tokens }).collect();
            self.forward(&Batch { spans: &spans, rows: Rows::Last })?;
            let logits = Logits { vocab: tiny::VOCAB, values: &self.logits };
            for (row, id) in ids.iter_mut().enumerate() {
                let shift = Token::from(self.fault == Fault::NextBest);
                *id = (logits.argmax(row) + shift) % tiny::VOCAB as Token;
            }
            all.extend_from_slice(&ids);
            if self.fault != Fault::SequenceMajor {
                stopped |= emit(step, &ids) == ControlFlow::Break(());
            }
            if stopped && self.fault != Fault::Unstoppable {
                return Ok(());
            }
        }
        if self.fault == Fault::SequenceMajor && n > 0 {
            let count = first.len();
            let turned: Vec<Token> = (0..all.len()).map(|i| all[i % n * count + i / n]).collect();
            let _ = emit(0, &turned);
        }
        Ok(())
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        self.honest.truncate(sequence, length)?;
        if self.fault == Fault::TruncatesAll {
            self.rows.iter_mut().for_each(|row| row.fill(0));
        }
        self.lengths[sequence.0 as usize] = length;
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        self.honest.copy(from, to)?;
        let (from, to) = (from.0 as usize, to.0 as usize);
        self.rows[to] = self.rows[from][..self.lengths[from]].to_vec();
        self.lengths[to] = self.lengths[from];
        match self.fault {
            Fault::ShortCopy => {
                self.rows[to].iter_mut().rev().skip(5).take(10).for_each(|t| *t = 0)
            }
            Fault::MovedCopy if from != to => self.rows[from].fill(0),
            _ => {}
        }
        Ok(())
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.lengths.get(sequence.0 as usize).copied().unwrap_or(0)
    }

    fn facts(&self) -> Facts {
        self.honest.facts()
    }
}

struct MutantBackend(Fault);

impl Backend for MutantBackend {
    fn name(&self) -> &str {
        "null"
    }
    fn devices(&self) -> Vec<DeviceStatus> {
        Null::new().devices()
    }
    fn plan(&self, d: &Device, m: &ModelInfo, o: &Options) -> Result<Footprint, Unsupported> {
        Null::new().plan(d, m, o)
    }
    fn load(&self, d: &Device, m: &Arc<Model>, o: &Options) -> Result<Box<dyn Session>, Error> {
        let honest = Null::new().load(d, m, o)?;
        let (rows, lengths) = (vec![Vec::new(); o.sequences], vec![0; o.sequences]);
        let context = honest.facts().context;
        Ok(Box::new(Mutant { honest, fault: self.0, context, rows, lengths, logits: Vec::new() }))
    }
}

fn conforms(fault: Fault) -> conformance::Report {
    conformance::run(&MutantBackend(fault), &[tiny::case()])
}

fn verified(fault: Fault) -> bool {
    let DeviceStatus::Ready(device) = Null::new().devices().remove(0) else { panic!("not ready") };
    let model = tiny::model();
    let options = Options { context: Some(32), sequences: 2, ..Options::default() };
    let mut session = MutantBackend(fault).load(&device, &model, &options).unwrap();
    let seen: Observation = observe(&mut *session, tiny::VOCAB).unwrap();
    let mut oracle = Null::new().load(&device, &model, &reference_options()).unwrap();
    let expected = expect(&mut *oracle, tiny::VOCAB, &seen.generated).unwrap();
    compare(&seen, &expected, Numerics::F32).iter().all(|check| check.passed())
}

#[test]
fn a_session_without_fault_passes() {
    let report = conforms(Fault::None);
    assert!(report.passed(), "{report}");
    assert!(verified(Fault::None));
}

#[test]
fn conformance_catches_every_fault() {
    for &fault in SEEN_BY_VERIFICATION.iter().chain(SEEN_BY_CONFORMANCE) {
        assert!(!conforms(fault).passed(), "{fault:?} was not caught");
    }
}

#[test]
fn verification_catches_every_fault_of_the_answers() {
    for &fault in SEEN_BY_VERIFICATION {
        assert!(!verified(fault), "{fault:?} was not caught");
    }
}
