//! Logits of a worker, row by row from the file it wrote: never more than a row in this process.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use yardstick_api::Token;
use yardstick_record::Phase;

use super::Trouble;
use crate::child::Child;
use crate::protocol::{Answer, Call};
use crate::runner::Run;

/// Rows of logits in a file that is removed when they are done with.
pub(super) struct Rows {
    file: Scratch,
    input: BufReader<File>,
    pub(super) vocab: usize,
}

/// A file that goes with its owner.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What logits are asked for: those after `skip` tokens, of which the session still holds the first `held`.
pub(super) struct Wanted<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) held: usize,
    pub(super) skip: usize,
}

impl Rows {
    /// Has a worker write the rows.
    pub(super) fn ask(
        run: &Run<'_>,
        child: &mut Child,
        wanted: &Wanted<'_>,
        name: &str,
    ) -> Result<Rows, Trouble> {
        let file = Scratch(run.cache.join(format!("{}-{name}.logits", std::process::id())));
        let path = &file.0;
        let call = Call::Logits {
            tokens: wanted.tokens.to_vec(),
            step: false,
            held: wanted.held,
            skip: wanted.skip,
            file: path.display().to_string(),
        };
        let answer = child.call(call, Phase::Sample, run.cancel, &mut |_| {})?;
        let Answer::Logits { rows, vocab } = answer else {
            return Err(child.unexpected(Phase::Sample, &answer).into());
        };
        let due = wanted.tokens.len() - wanted.skip;
        let bytes = std::fs::metadata(path).map(|data| data.len()).unwrap_or(0);
        if rows != due || vocab == 0 || bytes != (rows * vocab * 4) as u64 {
            let message =
                format!("asked for {due} rows of logits, got {rows} of {vocab} in {bytes} bytes");
            return Err(Trouble::failed(message));
        }
        let input = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok(Rows { file, input: BufReader::with_capacity(1 << 20, input), vocab })
    }

    /// The next row.
    pub(super) fn next(&mut self, row: &mut Vec<f32>) -> Result<(), Trouble> {
        let mut bytes = vec![0; self.vocab * 4];
        self.input.read_exact(&mut bytes).map_err(|error| unreadable(&self.file.0, &error))?;
        row.clear();
        row.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        Ok(())
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::failed(format!("{}: {error}", path.display()))
}
