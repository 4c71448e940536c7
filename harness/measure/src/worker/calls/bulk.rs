//! Calls whose answers go to a file the parent names: observations, reference answers, logits.

use std::fs::File;
use std::io::{BufWriter, Write};

use yardstick_api::verify::{self, Generated};
use yardstick_api::{Batch, Error, Rows, Sequence, Session, Span, Token};

use super::{Calls, Fault};
use crate::protocol::Answer;

impl Calls<'_> {
    pub(super) fn observe(&mut self, file: &str) -> Result<Answer, Fault> {
        let resident = self.resident()?;
        resident.filled = 0;
        let vocab = resident.vocab;
        let session = resident.session()?;
        let observation = verify::observe(session, vocab)?;
        let numerics = session.facts().numerics;
        write(file, |out| observation.write_to(out))?;
        Ok(Answer::Observed { numerics, generated: observation.generated })
    }

    pub(super) fn expect(&mut self, generated: &Generated, file: &str) -> Result<Answer, Fault> {
        let resident = self.resident()?;
        resident.filled = 0;
        let vocab = resident.vocab;
        let expected = verify::expect(resident.session()?, vocab, generated)?;
        write(file, |out| expected.write_to(out))?;
        Ok(Answer::Expected)
    }

    pub(super) fn logits(&mut self, asked: &LogitsAsked<'_>) -> Result<Answer, Fault> {
        let &LogitsAsked { tokens, step, held, skip, file } = asked;
        let resident = self.resident()?;
        resident.filled = 0;
        let vocab = resident.vocab;
        if tokens.is_empty() {
            return Err(Fault::invalid("logits takes at least one token"));
        }
        if held > skip || skip >= tokens.len() {
            let n = tokens.len();
            let message = format!(
                "logits of {n} tokens: found held {held} and skip {skip}, expected held <= skip < {n}"
            );
            return Err(Fault::invalid(message));
        }
        let session = resident.session()?;
        let length = session.length(Sequence(0));
        if length < held {
            return Err(Fault::invalid(format!("{held} tokens are not held, only {length}")));
        }
        session.truncate(Sequence(0), held)?;
        let mut out = create(file)?;
        if skip > held {
            let spans = [Span { sequence: Sequence(0), tokens: &tokens[held..skip] }];
            session.forward(&Batch { spans: &spans, rows: Rows::None })?;
        }
        let most = if step { 1 } else { (MOST_LOGITS / vocab.max(1)).max(1) };
        for part in tokens[skip..].chunks(most) {
            forward(session, part, vocab, &mut out, file)?;
        }
        out.flush().map_err(|error| Fault::io(file, &error))?;
        Ok(Answer::Logits { rows: tokens.len() - skip, vocab })
    }
}

/// The fields of a `logits` call.
pub(super) struct LogitsAsked<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) step: bool,
    pub(super) held: usize,
    pub(super) skip: usize,
    pub(super) file: &'a str,
}

/// Logits a session holds at once (16 MiB): a large vocabulary must not take more memory than its model.
const MOST_LOGITS: usize = 1 << 22;

/// Appends tokens and writes the logits of each.
fn forward(
    session: &mut dyn Session,
    tokens: &[Token],
    vocab: usize,
    out: &mut impl Write,
    file: &str,
) -> Result<(), Fault> {
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All })?;
    let logits = session.logits()?;
    if (logits.rows(), logits.vocab) != (tokens.len(), vocab) {
        let (rows, found) = (logits.rows(), logits.vocab);
        let message =
            format!("asked for ({}, {vocab}) logits, got ({rows}, {found})", tokens.len());
        return Err(Error::Device(message).into());
    }
    for row in logits.values.chunks(1 << 14) {
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        out.write_all(&bytes).map_err(|error| Fault::io(file, &error))?;
    }
    Ok(())
}

fn create(file: &str) -> Result<BufWriter<File>, Fault> {
    File::create(file).map(BufWriter::new).map_err(|error| Fault::io(file, &error))
}

fn write(
    file: &str,
    content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), Fault> {
    let mut out = create(file)?;
    content(&mut out).and_then(|()| out.flush()).map_err(|error| Fault::io(file, &error))
}
