//! A session: one number per position, logits made only when asked for.

use std::collections::BTreeMap;

use yardstick_api::{
    Batch, Emit, Error, Facts, Footprint, Known, KvType, Logits, Numerics, Rows, Sequence, Session,
    Span, Token, verify,
};

use crate::answers::State;
use crate::backend::Behaviour;
use crate::misbehave::Place;

pub(crate) struct NullSession {
    pub(crate) device: String,
    pub(crate) behaviour: Option<Behaviour>,
    pub(crate) vocab: usize,
    pub(crate) context: usize,
    pub(crate) chunk: usize,
    pub(crate) footprint: Footprint,
    /// (sequences), of the states after each position.
    pub(crate) sequences: Vec<Vec<State>>,
    /// States whose logits were asked for, and those logits once made.
    pub(crate) wanted: Vec<State>,
    pub(crate) logits: Vec<f32>,
}

impl NullSession {
    fn check(&self, batch: &Batch<'_>) -> Result<(), Error> {
        let invalid = |reason: String| Err(Error::Invalid(reason));
        if batch.spans.is_empty() {
            return invalid("no spans".into());
        }
        if matches!(batch.rows, Rows::Mask(mask) if mask.len() != batch.len()) {
            return invalid(format!("the mask is not as long as the batch, {}", batch.len()));
        }
        for (i, span) in batch.spans.iter().enumerate() {
            if batch.spans[..i].iter().any(|earlier| earlier.sequence == span.sequence) {
                return invalid(format!("sequence {} twice", span.sequence.0));
            }
            self.check_span(span)?;
        }
        Ok(())
    }

    fn check_span(&self, span: &Span<'_>) -> Result<(), Error> {
        let length = self.states(span.sequence)?.len();
        if span.tokens.is_empty() {
            return Err(Error::Invalid(format!("no tokens for sequence {}", span.sequence.0)));
        }
        if span.tokens.len() > self.context - length {
            let (more, context) = (span.tokens.len(), self.context);
            return Err(Error::Invalid(format!("{length} of {context} positions and {more} more")));
        }
        match span.tokens.iter().find(|&&token| token as usize >= self.vocab) {
            Some(token) => Err(Error::Invalid(format!("token {token} of {}", self.vocab))),
            None => Ok(()),
        }
    }

    fn states(&self, sequence: Sequence) -> Result<&Vec<State>, Error> {
        let count = self.sequences.len();
        self.sequences
            .get(sequence.0 as usize)
            .ok_or_else(|| Error::Invalid(format!("sequence {} of {count}", sequence.0)))
    }

    /// Misbehaves, if this device does here and now; `length` is the longest sequence to be.
    fn misbehave(&self, place: Place, length: usize) -> Result<bool, Error> {
        match &self.behaviour {
            Some(Behaviour { what, late })
                if what.place == place && (!late || length > verify::CONTEXT) =>
            {
                (what.act)()?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn longest(&self) -> usize {
        self.sequences.iter().map(Vec::len).max().unwrap_or(0)
    }
}

impl Session for NullSession {
    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        self.check(batch)?;
        let grown = batch.spans.iter().map(|span| self.length(span.sequence) + span.tokens.len());
        self.misbehave(Place::Forward, grown.max().unwrap_or(0))?;
        let mut rows = Vec::with_capacity(batch.len());
        for span in batch.spans {
            let states = &mut self.sequences[span.sequence.0 as usize];
            for &token in span.tokens {
                let state = states.last().copied().unwrap_or_default().push(token);
                states.push(state);
                rows.push(state);
            }
        }
        self.wanted = batch.wanted().into_iter().map(|row| rows[row]).collect();
        self.logits.clear();
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn logits(&mut self) -> Result<Logits<'_>, Error> {
        if self.logits.is_empty() {
            let wrong = self.misbehave(Place::WrongLogits, self.longest())?;
            for state in &self.wanted {
                let state = if wrong { state.push(0) } else { *state };
                state.write_logits(self.vocab, &mut self.logits);
            }
            if self.misbehave(Place::NanLogits, self.longest())? {
                self.logits.fill(f32::NAN);
            }
        }
        Ok(Logits { vocab: self.vocab, values: &self.logits })
    }

    /// Needs no logits: the rule knows the best token.
    fn generate(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        let tokens: Vec<[Token; 1]> = first.iter().map(|&(_, token)| [token]).collect();
        let spans = first.iter().zip(&tokens);
        let spans: Vec<Span<'_>> =
            spans.map(|(&(sequence, _), tokens)| Span { sequence, tokens }).collect();
        self.check(&Batch { spans: &spans, rows: Rows::None })?;
        let mut ids: Vec<Token> = first.iter().map(|&(_, token)| token).collect();
        for step in 0..n {
            for (id, (sequence, _)) in ids.iter_mut().zip(first) {
                let states = &self.sequences[sequence.0 as usize];
                if states.len() >= self.context {
                    let reason = format!("sequence {} is full: {}", sequence.0, self.context);
                    return Err(Error::Invalid(reason));
                }
                self.misbehave(Place::Forward, states.len() + 1)?;
                let state = states.last().copied().unwrap_or_default().push(*id);
                self.sequences[sequence.0 as usize].push(state);
                *id = state.best(self.vocab);
            }
            if emit(step, &ids).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> Result<(), Error> {
        let now = self.states(sequence)?.len();
        if length > now {
            return Err(Error::Invalid(format!("{now} positions held, cannot keep {length}")));
        }
        self.sequences[sequence.0 as usize].truncate(length);
        Ok(())
    }

    fn copy(&mut self, from: Sequence, to: Sequence) -> Result<(), Error> {
        let states = self.states(from)?.clone();
        self.states(to)?;
        self.sequences[to.0 as usize] = states;
        Ok(())
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.states(sequence).map_or(0, Vec::len)
    }

    fn facts(&self) -> Facts {
        const NOTHING: &str = "the null backend computes nothing";
        Facts {
            device: self.device.clone(),
            isa: Known::unavailable(NOTHING),
            adapter: Known::unavailable(NOTHING),
            driver: Known::unavailable(NOTHING),
            threads: Known::unavailable(NOTHING),
            context: self.context,
            sequences: self.sequences.len(),
            chunk: self.chunk,
            kv: KvType::F32,
            numerics: Numerics::F32,
            mapped_bytes: 0,
            copied_bytes: 0,
            kv_bytes: self.footprint.kv_bytes,
            scratch_bytes: 0,
            streamed_bytes: 0,
            kernels: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }
}
