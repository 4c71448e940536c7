//! Recomputes suites/models/manifest.toml: `cargo run --release -p yardstick-model --example manifest -- PRESET:QUANTISATION...`
//! prints the manifest with these entries computed anew (no file is written); `--all` computes every entry it has.

use std::error::Error;
use std::ops::ControlFlow;
use std::thread;
use std::time::Instant;

use yardstick_model::preset::{self, PresetRef};

const HEAD: &str = "\
# SHA-256 of every preset and quantisation that is checked after writing; others are stated as absent.
# Computed by: cargo run --release -p yardstick-model --example manifest -- PRESET:QUANTISATION...
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut manifest = preset::manifest()?;
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted == ["--all"] {
        let of = |(name, hashes): (&String, &std::collections::BTreeMap<String, String>)| {
            hashes.keys().map(|mix| format!("{name}:{mix}")).collect::<Vec<_>>()
        };
        wanted = manifest.iter().flat_map(of).collect();
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    for text in wanted {
        let preset = PresetRef::parse(&text)?;
        let start = Instant::now();
        let (sha256, bytes) = preset::hash(&preset, threads, &mut |_| ControlFlow::Continue(()))?;
        let old = manifest
            .entry(preset.recipe().name.clone())
            .or_default()
            .insert(preset.mix().name().to_owned(), sha256.clone());
        let state = match old {
            Some(old) if old == sha256 => "unchanged",
            Some(_) => "CHANGED",
            None => "new",
        };
        eprintln!("{preset}: {bytes} bytes in {:.1} s, {state}", start.elapsed().as_secs_f64());
    }
    print!("{HEAD}");
    for name in preset::names() {
        let Some(hashes) = manifest.get(name) else { continue };
        // Preset names contain dots, so the key is quoted.
        println!("\n[\"{name}\"]");
        for (mix, _) in preset::quantisations() {
            if let Some(hash) = hashes.get(mix) {
                println!("{mix} = \"{hash}\"");
            }
        }
    }
    Ok(())
}
