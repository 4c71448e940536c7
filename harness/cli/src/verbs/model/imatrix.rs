//! `yardstick model imatrix`: how much each column of each matrix matters, over a text.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use yardstick_model::Model;
use yardstick_model::quantize::Error;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

use super::tokenize::input;
use crate::paths::same_file;
use crate::verbs::DONE;
use crate::{console, interrupt};

/// What `model imatrix` was asked for.
pub(crate) struct Request<'a> {
    pub(crate) model: &'a Path,
    pub(crate) text: Option<&'a Path>,
    pub(crate) ids: Option<&'a Path>,
    pub(crate) out: &'a Path,
    /// Tokens.
    pub(crate) chunk: u32,
    pub(crate) chunks: usize,
    pub(crate) threads: Option<usize>,
}

/// Runs the text through the reference and writes the squared activations it summed.
pub(crate) fn run(request: &Request<'_>) -> Result<u8> {
    if same_file(request.out, request.model) {
        bail!("--out {} is the model; name another file", request.out.display());
    }
    let model = Arc::new(Model::open(request.model)?);
    let (source, ids) = tokens(request, &model)?;
    let chunks: Vec<&[u32]> = ids.chunks(request.chunk as usize).take(request.chunks).collect();
    if chunks.is_empty() {
        bail!("{source}: no tokens");
    }
    let cancel = interrupt::flag()?;
    let sums = yardstick_reference::observe(&model, &chunks, request.threads, &mut |done| {
        console::tell(format!("{done} of {} chunks", chunks.len()));
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Stopped.into());
    }
    let count = u32::try_from(chunks.len()).context("too many chunks")?;
    let done = sums.write(request.out, &source, count, request.chunk)?;
    console::say(format!("{} {} {} matrices", done.sha256, request.out.display(), sums.len()))?;
    Ok(DONE)
}

/// Where the tokens come from, and the tokens.
fn tokens(request: &Request<'_>, model: &Model) -> Result<(String, Vec<u32>)> {
    if let Some(path) = request.text {
        let tokenizer = Tokenizer::from_gguf(model.gguf())?;
        return Ok((
            path.display().to_string(),
            tokenizer.encode(&input(path)?, Encoding::default())?,
        ));
    }
    let path = request.ids.context("--text or --ids-file is needed")?;
    let text = String::from_utf8(input(path)?).with_context(|| format!("{}", path.display()))?;
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let id = |word: &str| {
        word.parse().with_context(|| format!("{}: {word:?} is no token id", path.display()))
    };
    Ok((path.display().to_string(), words.map(id).collect::<Result<_>>()?))
}
