//! `yardstick model`: write, list, inspect, quantise, prune and convert models, tokenize text, and write logits.

mod convert;
mod detokenize;
mod imatrix;
mod inspect;
pub(crate) mod list;
mod logits;
mod make;
pub(crate) mod prune;
pub(crate) mod quantize;
mod tokenize;
mod zeros;

use anyhow::Result;
use yardstick_model::tokenizer::Encoding;

use crate::args::{Model, ModelAction};
use crate::models;
use crate::paths::Paths;

/// Picks the action.
pub(crate) fn run(paths: &Paths, args: &Model) -> Result<u8> {
    match &args.action {
        ModelAction::Make { models, threads, hash_only, check } => {
            let threads = threads.unwrap_or_else(models::cores);
            if *hash_only {
                make::hash(models, threads)
            } else {
                make::write(paths, models, threads, *check)
            }
        }
        ModelAction::List { json } => list::run(*json),
        ModelAction::Inspect { model, scan, json } => {
            inspect::run(&models::path(paths, model)?, *scan, *json)
        }
        ModelAction::Quantize {
            input,
            output,
            quantisation,
            types,
            effort,
            imatrix,
            threads,
            allow_requantize,
            json,
        } => quantize::run(&quantize::Request {
            input,
            output,
            types: quantisation.as_slice().iter().chain(types).map(String::as_str).collect(),
            effort,
            imatrix: imatrix.as_deref(),
            threads: threads.unwrap_or_else(models::cores),
            allow_requantize: *allow_requantize,
            json: *json,
        }),
        ModelAction::Imatrix { model, text, ids_file, out, chunk, chunks, threads } => {
            imatrix::run(&imatrix::Request {
                model: &models::path(paths, model)?,
                text: text.as_deref(),
                ids: ids_file.as_deref(),
                out,
                chunk: *chunk,
                chunks: chunks.unwrap_or(usize::MAX),
                threads: *threads,
            })
        }
        ModelAction::Convert { folder, output, r#type, lora, threads } => {
            let threads = threads.unwrap_or_else(models::cores);
            convert::run(folder, output, r#type.as_deref(), lora.as_deref(), threads)
        }
        ModelAction::Prune(args) => prune::run(paths, args),
        ModelAction::Tokenize { model, text_file, no_bos, special, json } => {
            let how = Encoding { ends: !no_bos, control: *special };
            tokenize::run(&models::path(paths, model)?, text_file, how, *json)
        }
        ModelAction::Detokenize { model, ids, ids_file, special } => {
            let model = models::path(paths, model)?;
            detokenize::run(&model, ids, ids_file.as_deref(), *special)
        }
        ModelAction::Logits {
            model,
            device,
            tokens,
            out,
            step,
            kv,
            numerics,
            threads,
            programs,
        } => logits::run(&logits::Request {
            model: models::path(paths, model)?,
            device,
            tokens,
            out,
            step: *step,
            kv,
            numerics: numerics.as_deref(),
            threads: *threads,
            programs,
            cache: &paths.cache,
        }),
    }
}
