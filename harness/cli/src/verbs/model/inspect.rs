//! `yardstick model inspect`: what a file says it is, without trusting it.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use yardstick_model::gguf::{FileSummary, Gguf, Scan, scan};
use yardstick_model::{Architecture, Model};

use crate::verbs::{DONE, FAILED};

/// Describes a file; with `scan`, reads every block and counts the values that are NaN or infinite.
pub(crate) fn run(path: &Path, with_scan: bool, json: bool) -> Result<u8> {
    let gguf = Gguf::open(path)?;
    let summary = gguf.summary();
    let scans: Vec<Scan> = match with_scan {
        true => gguf.tensors().iter().map(|tensor| scan(&gguf, tensor)).collect(),
        false => Vec::new(),
    };
    let clean = scans.iter().all(Scan::is_clean);
    let model = Model::from_gguf(gguf);
    let mut out = io::stdout().lock();
    if json {
        let runs = model.as_ref().err().map(ToString::to_string);
        let scan = with_scan.then_some(&scans);
        let document = serde_json::json!({ "file": summary, "scan": scan, "cannot_run": runs });
        writeln!(out, "{document:#}")?;
        return Ok(if clean { DONE } else { FAILED });
    }
    file(&mut out, &summary)?;
    match &model {
        Ok(model) => architecture(&mut out, model)?,
        Err(error) => writeln!(out, "\nnot a model we can run: {error}")?,
    }
    tensors(&mut out, &summary, &scans)?;
    Ok(if clean { DONE } else { FAILED })
}

fn file(out: &mut impl Write, summary: &FileSummary) -> io::Result<()> {
    writeln!(out, "{}", summary.path)?;
    writeln!(
        out,
        "GGUF v{}, {} bytes, {} tensors, alignment {}",
        summary.version,
        summary.file_bytes,
        summary.tensors.len(),
        summary.alignment
    )?;
    for warning in &summary.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    writeln!(out, "\nmetadata")?;
    for entry in &summary.metadata {
        let count =
            entry.array.as_ref().map(|a| format!(" ({} elements)", a.len)).unwrap_or_default();
        writeln!(out, "  {:<44} {}{count}", entry.key, entry.value)?;
    }
    Ok(())
}

fn architecture(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let info = model.info();
    let Architecture { name, vocab, embedding, context, layers, tied_head, .. } =
        &info.architecture;
    writeln!(out, "\nmodel {}", info.name)?;
    writeln!(out, "  architecture         {name}, {} layers, embedding {embedding}", layers.len())?;
    if let Some(layer) = layers.first() {
        let (heads, kv) = (layer.heads, layer.kv_heads);
        writeln!(out, "  heads                {heads} query, {kv} key/value; {}", layer.ffn)?;
    }
    let needs =
        info.architecture.requirements().iter().map(ToString::to_string).collect::<Vec<_>>();
    writeln!(out, "  beyond a plain llama {}", needs.join(", "))?;
    for ignored in &info.architecture.ignored {
        writeln!(out, "  ignored              {ignored}")?;
    }
    let head = if *tied_head { "tied to the embedding" } else { "its own tensor" };
    writeln!(out, "  vocabulary           {vocab}; head {head}")?;
    writeln!(out, "  trained context      {context}")?;
    writeln!(out, "  quantisation         {}", info.quantisation)?;
    writeln!(out, "  parameters           {}", info.parameters)?;
    writeln!(out, "  streamed per token   {} bytes at depth 0", info.streamed_bytes)
}

fn tensors(out: &mut impl Write, summary: &FileSummary, scans: &[Scan]) -> io::Result<()> {
    writeln!(out, "\ntensors")?;
    for (i, tensor) in summary.tensors.iter().enumerate() {
        let shape = tensor.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        let found = match scans.get(i) {
            Some(scan) if !scan.is_clean() => format!(
                "  {} NaN and {} infinite weights in {} blocks, first at {}",
                scan.nan,
                scan.infinite,
                scan.blocks,
                scan.first.unwrap_or_default()
            ),
            _ => String::new(),
        };
        writeln!(
            out,
            "  {:<34} {:<7} {shape:<20} {:>12} bytes at {}{found}",
            tensor.name, tensor.format, tensor.bytes, tensor.offset
        )?;
    }
    if !scans.is_empty() && scans.iter().all(Scan::is_clean) {
        writeln!(
            out,
            "scanned {} weights: all finite",
            scans.iter().map(|s| s.weights).sum::<u64>()
        )?;
    }
    Ok(())
}
