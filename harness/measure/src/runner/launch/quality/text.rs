//! Tests of a text: perplexity, and divergence from a reference. Windows go one by one; of the reference's logits a block of
//! windows at most lies on the disk, and is gone before the next is computed.

use std::ops::Range;

use yardstick_record::{Apart, Phase, Quality, Reference, Test, Word};

use super::partial::Partial;
use super::rows::{Rows, Wanted};
use super::tokens::Windows;
use super::{Measured, Measuring, Trouble};
use crate::child::{CallError, Child};
use crate::protocol::Call;
use crate::quality::sums::{Far, Sums, scores};

/// Bytes of reference logits on the disk at once; one window may take more.
const BLOCK_BYTES: usize = 1 << 30;
/// Positions kept as those that differ most.
const FARTHEST: usize = 20;
/// Tokens of the text shown before such a position.
const SHOWN: usize = 24;

/// What the windows of a text are scored with.
struct Scoring<'a> {
    windows: &'a Windows,
    partial: Partial,
    reference: Option<Reference>,
}

impl Measuring<'_, '_, '_> {
    pub(super) fn score_text(
        &mut self,
        child: &mut Child,
        test: Test,
        window: usize,
        measured: &mut Measured,
    ) -> Result<Quality, Trouble> {
        let material = &self.run.plan.material;
        let text = material.text.as_ref().ok_or_else(|| Trouble::failed("no text is named"))?;
        let windows = Windows::of(text, self.model, window, material.windows)?;
        if test.has_reference() {
            let other = Windows::of(text, self.reference_model()?, window, material.windows)?;
            windows.same_as(&other)?;
        }
        let kept = |error: std::io::Error| {
            Trouble::failed(format!("the sums of windows cannot be kept: {error}"))
        };
        let partial =
            Partial::open(self.run.cache, &self.key(test), windows.windows.len()).map_err(kept)?;
        measured.kept = Some(partial.path.clone());
        let mut scoring = Scoring { windows: &windows, partial, reference: None };
        while scoring.partial.done.len() < windows.windows.len() {
            self.score_block(child, test, &mut scoring)?;
        }
        if test.has_reference() && scoring.reference.is_none() {
            // All of it was done before; who answered is told once more.
            scoring.reference = Some(self.open_reference(window)?.told);
        }
        Ok(Quality {
            data: text.data.clone(),
            reference: scoring.reference,
            method: method(test, window, windows.windows.len()),
            scores: scores(&scoring.partial.done),
            windows: scoring.partial.done.iter().map(Sums::window).collect(),
            answers: Vec::new(),
            farthest: farthest(&windows, &scoring.partial.done),
        })
    }

    /// The next windows: one for a perplexity, as many as fit into a block against a reference.
    fn score_block(
        &mut self,
        child: &mut Child,
        test: Test,
        scoring: &mut Scoring<'_>,
    ) -> Result<(), Trouble> {
        let all = &scoring.windows.windows;
        let at = scoring.partial.done.len();
        if !test.has_reference() {
            return self.score_window(child, at, None, scoring);
        }
        self.release(child)?;
        let mut exact = self.open_reference(all[at].len())?;
        let mut expected = Vec::new();
        for (index, window) in all.iter().enumerate().skip(at) {
            let rows = self.rows(&mut exact.child, window, &format!("reference-{index}"))?;
            let bytes = rows.vocab * 4 * scored(window.len()).len();
            expected.push(rows);
            if bytes * (expected.len() + 1) > BLOCK_BYTES {
                break;
            }
        }
        exact.child.stop();
        scoring.reference = Some(exact.told);
        self.resume(child, test)?;
        for (index, rows) in (at..).zip(expected) {
            self.score_window(child, index, Some(rows), scoring)?;
        }
        Ok(())
    }

    fn score_window(
        &mut self,
        child: &mut Child,
        index: usize,
        mut expected: Option<Rows>,
        scoring: &mut Scoring<'_>,
    ) -> Result<(), Trouble> {
        let all = &scoring.windows.windows;
        self.go_on(index, all.len())?;
        let tokens = &all[index];
        let mut found = self.rows(child, tokens, "found")?;
        if let Some(expected) = expected.as_ref().filter(|expected| expected.vocab != found.vocab) {
            let (theirs, ours) = (expected.vocab, found.vocab);
            let message = format!(
                "the reference predicts {theirs} words, this model {ours}: they cannot be compared"
            );
            return Err(Trouble::failed(message));
        }
        let (mut sums, mut row, mut other) = (Sums::default(), Vec::new(), Vec::new());
        for position in scored(tokens.len()) {
            found.next(&mut row)?;
            if let Some(expected) = &mut expected {
                expected.next(&mut other)?;
            }
            let against = expected.as_ref().map(|_| other.as_slice());
            sums.add(position, &row, tokens[position + 1], against).map_err(|what| {
                Trouble::failed(format!("window {index}, position {position}: {what}"))
            })?;
        }
        scoring.partial.add(sums).map_err(|error| {
            Trouble::failed(format!("the sums of windows cannot be kept: {error}"))
        })?;
        self.go_on(index + 1, all.len())?;
        Ok(())
    }

    /// The logits of the scored positions of a window.
    fn rows(&self, child: &mut Child, window: &[u32], name: &str) -> Result<Rows, Trouble> {
        // The last token predicts nothing that is known.
        let tokens = &window[..window.len() - 1];
        let wanted = Wanted { tokens, held: 0, skip: scored(window.len()).start };
        Rows::ask(self.run, child, &wanted, name)
    }

    /// Has the device let go of its model. A worker that does not know how keeps it: that costs memory, nothing else.
    pub(super) fn release(&self, child: &mut Child) -> Result<(), Trouble> {
        match child.call(Call::Unload, Phase::Load, self.run.cancel, &mut |_| {}) {
            Ok(_) | Err(CallError::Fault { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Loads the model again, and verifies it again.
    pub(super) fn resume(&mut self, child: &mut Child, test: Test) -> Result<(), Trouble> {
        let facts = self.load(child)?;
        match super::super::verify(self.run, self.launch, self.model, child, &facts) {
            // Told once, not at every block.
            Ok(Ok(verification)) => self.context.verification = verification,
            verdict => self.verdict(verdict)?,
        }
        self.phase(Phase::Sample, Some(test));
        Ok(())
    }

    /// What the sums of a test depend on.
    fn key(&self, test: Test) -> String {
        let reference = self.reference.and_then(|ready| ready.as_ref().ok());
        let reference = reference.filter(|_| test.has_reference()).map(|model| &model.reference);
        let tool = (&self.context.tool.version, &self.context.tool.commit);
        let key = (self.context.cell(test).key(), self.launch.number, reference, tool);
        serde_json::to_string(&key).expect("the key is plain data")
    }
}

/// Positions whose next token is scored: the second half, so that each has at least half a window before it.
fn scored(window: usize) -> Range<usize> {
    window / 2..window - 1
}

fn method(test: Test, window: usize, n: usize) -> String {
    let scored = scored(window);
    let text = format!(
        "{n} windows of {window} tokens, each from an empty context; positions {} to {} predict the next token, as llama.cpp's perplexity",
        scored.start,
        scored.end - 1
    );
    match test.has_reference() {
        true => format!(
            "{text}; divergence of this device's predictions from the reference's at temperature 1 and 3"
        ),
        false => text,
    }
}

/// The positions that differ most over all windows, in words.
fn farthest(windows: &Windows, done: &[Sums]) -> Vec<Apart> {
    let of = |(index, sums): (usize, &Sums)| {
        let far = sums.against.as_ref().map_or(&[][..], |against| &against.farthest);
        far.iter().map(move |far| (index, far.clone())).collect::<Vec<_>>()
    };
    let mut all: Vec<(usize, Far)> = done.iter().enumerate().flat_map(of).collect();
    all.sort_by(|a, b| b.1.kld.total_cmp(&a.1.kld));
    all.truncate(FARTHEST);
    let word = |(token, probability)| Word { text: windows.words(&[token]), probability };
    let apart = |(index, far): (usize, Far)| {
        let start = (far.position + 1).saturating_sub(SHOWN);
        Apart {
            window: index as u64,
            position: far.position as u64,
            context: windows.words(&windows.windows[index][start..=far.position]),
            expected: word(far.expected),
            found: word(far.found),
            kld: far.kld,
        }
    };
    all.into_iter().map(apart).collect()
}
