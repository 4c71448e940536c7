//! Rows to encoded bytes, by several threads, in file order: what presets and the quantiser share.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Error;
use crate::Format;
use crate::format::Effort;

/// Weights a worker encodes at a time: 1 MiB as f32, so that a chunk stays in its core's cache.
pub(crate) const CHUNK_WEIGHTS: usize = 256 << 10;
/// Finished chunks a worker may be ahead of the writer.
const AHEAD: usize = 4;

/// Where weights come from.
pub(crate) trait Rows: Sync {
    /// Fills `out` with whole rows of a tensor, from row `first` on.
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]);
    /// Writes a row as blocks of a format where the source has the very codes; `false`: it is to be encoded from floats.
    fn encoded(&self, _tensor: usize, _row: usize, _format: Format, _out: &mut [u8]) -> bool {
        false
    }
    /// How much each column of a row counts; `None` where all count the same.
    fn importance(&self, _tensor: usize, _row: usize) -> Option<&[f32]> {
        None
    }
}

/// One tensor to encode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// Format to encode to.
    pub(crate) format: Format,
    /// Weights per row, whole blocks of the format.
    pub(crate) cols: usize,
    /// Rows.
    pub(crate) rows: usize,
}

/// Rows of one tensor that a worker encodes in one go.
struct Chunk {
    tensor: usize,
    first: usize,
    rows: usize,
}

/// How to encode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) threads: usize,
    pub(crate) effort: Effort,
    /// Decode what was encoded and sum its errors.
    pub(crate) measured: bool,
}

/// Encoded rows of one tensor, and how far they are from the source.
#[derive(Default)]
pub(crate) struct Piece {
    pub(crate) tensor: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) errors: Errors,
}

/// Sums over weights; those that are NaN or infinite in the source are only counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    /// Of squared differences.
    pub(crate) error: f64,
    /// Of squared weights.
    pub(crate) energy: f64,
    pub(crate) not_finite: u64,
}

/// Encodes every tensor quickly and hands the bytes to `sink` in file order, in pieces that never span two
/// tensors. Memory stays at a few chunks a thread. The bytes do not depend on `threads` or `chunk_weights`.
pub(crate) fn encode(
    stretches: &[Stretch],
    rows: &dyn Rows,
    threads: usize,
    chunk_weights: usize,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let how = How { threads, effort: Effort::Fast, measured: false };
    encode_pieces(stretches, rows, how, chunk_weights, &mut |piece| sink(&piece.bytes))
}

/// As [`encode`], with a choice of effort, and errors beside the bytes.
pub(crate) fn encode_pieces(
    stretches: &[Stretch],
    rows: &dyn Rows,
    how: How,
    chunk_weights: usize,
    sink: &mut dyn FnMut(&Piece) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(stretch) = stretches.iter().find(|s| s.format.layout().encode.is_none()) {
        return Err(Error::ReadOnlyFormat { format: stretch.format });
    }
    let chunks = split(stretches, chunk_weights);
    let workers = how.threads.clamp(1, chunks.len().max(1));
    thread::scope(|scope| {
        // Worker w encodes chunks w, w + workers, ...: in order within a channel, so in order overall.
        let channels: Vec<Receiver<Piece>> = (0..workers)
            .map(|worker| {
                let (send, receive) = sync_channel(AHEAD);
                let mine = chunks.iter().skip(worker).step_by(workers);
                scope.spawn(move || work(stretches, rows, how, mine, &send));
                receive
            })
            .collect();
        for receive in channels.iter().cycle().take(chunks.len()) {
            // A worker ends early only by a panic, which the scope passes on.
            let Ok(piece) = receive.recv() else { break };
            sink(&piece)?;
        }
        Ok(())
    })
}

fn split(stretches: &[Stretch], chunk_weights: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for (tensor, stretch) in stretches.iter().enumerate() {
        let step = (chunk_weights / stretch.cols.max(1)).max(1);
        for first in (0..stretch.rows).step_by(step) {
            chunks.push(Chunk { tensor, first, rows: step.min(stretch.rows - first) });
        }
    }
    chunks
}

/// Encodes chunks until they end or nobody listens any more.
fn work<'a>(
    stretches: &[Stretch],
    rows: &dyn Rows,
    how: How,
    chunks: impl Iterator<Item = &'a Chunk>,
    send: &SyncSender<Piece>,
) {
    let (mut values, mut decoded, mut ones) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in chunks {
        let Stretch { format, cols, .. } = stretches[chunk.tensor];
        values.resize(chunk.rows * cols, 0.0);
        rows.rows(chunk.tensor, chunk.first, &mut values);
        let row_bytes = format.row_bytes(cols);
        let mut bytes = vec![0; chunk.rows * row_bytes];
        if format.searches(how.effort) && cols > 0 {
            ones.resize(cols, 1.0);
            let encoded = values.chunks_exact(cols).zip(bytes.chunks_exact_mut(row_bytes));
            for (row, (values, bytes)) in encoded.enumerate() {
                let importance = rows.importance(chunk.tensor, chunk.first + row);
                format.encode(how.effort, values, importance.unwrap_or(&ones), bytes);
            }
        } else {
            format.encode(Effort::Fast, &values, &[], &mut bytes);
        }
        for (row, bytes) in bytes.chunks_exact_mut(row_bytes.max(1)).enumerate() {
            if !rows.encoded(chunk.tensor, chunk.first + row, format, bytes) {
                break;
            }
        }
        let mut errors = Errors::default();
        if how.measured {
            decoded.resize(values.len(), 0.0);
            format.decode(&bytes, &mut decoded);
            errors = differences(&values, &decoded);
        }
        if send.send(Piece { tensor: chunk.tensor, bytes, errors }).is_err() {
            return;
        }
    }
}

/// Sums of a chunk, in one order on every machine.
fn differences(source: &[f32], decoded: &[f32]) -> Errors {
    let mut sums = Errors::default();
    for (&x, &y) in source.iter().zip(decoded) {
        if x.is_finite() {
            let (x, off) = (f64::from(x), f64::from(y) - f64::from(x));
            sums.error += off * off;
            sums.energy += x * x;
        } else {
            sums.not_finite += 1;
        }
    }
    sums
}

/// How far a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes done.
    pub bytes: u64,
    /// Bytes of the whole file.
    pub total_bytes: u64,
}

/// What is told of progress, often; [`ControlFlow::Break`] stops the work, and nothing is left behind.
pub type Tell<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

#[cfg(test)]
mod tests {
    use super::*;

    /// Weight = tensor, row and column, exactly.
    struct Numbered;
    impl Rows for Numbered {
        fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
            for (i, value) in out.iter_mut().enumerate() {
                *value = (tensor * 100_000 + first * 64 + i) as f32;
            }
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_threads_or_chunks() {
        let stretch = |format, rows| Stretch { format, cols: 64, rows };
        let stretches = [
            stretch(Format::F32, 7),
            stretch(Format::Q8_0, 33),
            stretch(Format::F16, 1),
            stretch(Format::F32, 0),
        ];
        let run = |threads, chunk| {
            let mut all = Vec::new();
            let mut sink = |bytes: &[u8]| {
                all.extend_from_slice(bytes);
                Ok(())
            };
            encode(&stretches, &Numbered, threads, chunk, &mut sink).unwrap();
            all
        };
        let one = run(1, 1 << 20);
        assert_eq!(one.len(), 7 * 64 * 4 + 33 * 68 + 64 * 2);
        for (threads, chunk) in [(1, 1), (2, 64), (4, 200), (9, 640), (64, 1)] {
            assert_eq!(run(threads, chunk), one, "{threads} threads, chunks of {chunk}");
        }
    }

    #[test]
    fn a_failing_sink_ends_the_workers() {
        let stretches = [Stretch { format: Format::F32, cols: 64, rows: 10_000 }];
        let mut left = 3;
        let mut sink = |_: &[u8]| {
            left -= 1;
            if left == 0 { Err(Error::Stopped) } else { Ok(()) }
        };
        let result = encode(&stretches, &Numbered, 4, 64, &mut sink);
        assert!(matches!(result, Err(Error::Stopped)));
    }
}
