//! `yardstick model list`: the presets, their quantisations and exact sizes.

use std::io::{self, Write};

use anyhow::Result;
use yardstick_model::preset::{self, Listed};

use crate::verbs::DONE;

/// Lists every preset.
pub(crate) fn run(json: bool) -> Result<u8> {
    let presets = preset::list()?;
    let mut out = io::stdout().lock();
    if json {
        let document: Vec<_> = presets.iter().map(document).collect();
        writeln!(out, "{:#}", serde_json::Value::from(document))?;
        return Ok(DONE);
    }
    for preset in &presets {
        writeln!(
            out,
            "{:<16} {:>8.1} M parameters, {} weights",
            preset.recipe.name,
            preset.parameters as f64 / 1e6,
            if preset.recipe.trained { "trained" } else { "random" }
        )?;
        let sizes: Vec<String> = preset
            .sizes
            .iter()
            .map(|(name, bytes)| format!("{name} {:.1} MiB", *bytes as f64 / 1048576.0))
            .collect();
        for line in sizes.chunks(4) {
            writeln!(out, "    {}", line.join("  "))?;
        }
    }
    Ok(DONE)
}

fn document(preset: &Listed) -> serde_json::Value {
    let sizes: serde_json::Map<_, _> =
        preset.sizes.iter().map(|(name, bytes)| ((*name).to_owned(), (*bytes).into())).collect();
    serde_json::json!({
        "name": preset.recipe.name,
        "parameters": preset.parameters,
        "random_weights": !preset.recipe.trained,
        "file_bytes": sizes,
    })
}
