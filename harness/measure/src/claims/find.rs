//! From a claim to a finding: arithmetic of blocks, exact sizes of files, and what those say.

use std::path::Path;

use yardstick_api::KvType;
use yardstick_model::preset::{self, PresetRef};
use yardstick_model::quantize::Mix;

use super::measured::{Evidence, measured};
use super::{Claim, Finding, Fits, Share, Size, Test, Verdict};

/// What a test came to.
pub(super) struct Found {
    pub(super) how: String,
    pub(super) measured: Vec<String>,
    /// What does not keep the claim, the worst first.
    pub(super) against: Vec<String>,
    /// What may keep it or not.
    pub(super) open: Vec<String>,
    /// How many were tested.
    pub(super) tested: usize,
}

/// Tests one claim; files that presets were written to are looked for in `cache`, what was measured in `evidence`.
pub fn find(claim: &Claim, cache: Option<&Path>, evidence: &[Evidence]) -> Finding {
    let found = match &claim.test {
        Test::Share(test) => share(test, cache),
        Test::Size(test) => size(test, cache),
        Test::Fits(test) => fits(test, cache),
        Test::Measured(test) => measured(test, evidence),
        Test::Cannot(test) => Err(test.because.clone()),
    };
    let (how, measured, verdict) = match found {
        Ok(Found { how, measured, against, open, tested }) => {
            let verdict = match (against.as_slice(), open.as_slice()) {
                ([], []) => Verdict::True,
                ([worst, ..], _) => {
                    Verdict::NotHere(format!("{} of {tested} do not, {worst}", against.len()))
                }
                ([], [first, ..]) => Verdict::NotDecided(format!(
                    "{} of {tested} may or may not, {first}",
                    open.len()
                )),
            };
            (how, measured, verdict)
        }
        Err(why) => ("not".to_owned(), Vec::new(), Verdict::CannotBeTested(why)),
    };
    Finding { claim: claim.clone(), how, measured, verdict }
}

fn share(test: &Share, cache: Option<&Path>) -> Result<Found, String> {
    let mut seen = Seen::default();
    let (mut measured, mut off) = (Vec::new(), Vec::new());
    for name in &test.quantisations {
        let nominal = 100.0 * bits(name)? / bits(&test.of)?;
        let mut shares = Vec::new();
        for model in &test.models {
            let (part, whole) =
                (seen.bytes(model, name, cache)?, seen.bytes(model, &test.of, cache)?);
            shares.push((100.0 * part as f64 / whole as f64, model));
        }
        shares.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (low, high) = (&shares[0], &shares[shares.len() - 1]);
        measured.push(format!(
            "{name}: {} bits a weight of {}, {nominal:.2} %; files {:.2} % ({}) to {:.2} % ({})",
            trimmed(bits(name)?),
            trimmed(bits(&test.of)?),
            low.0,
            low.1,
            high.0,
            high.1
        ));
        let all = shares.iter().map(|(share, model)| (*share, format!("{model}:{name}")));
        let blocks = [(nominal, format!("the blocks of {name}"))];
        off.extend(all.chain(blocks));
    }
    let tested = off.len();
    let far = |share: f64| (share / test.percent - 1.0).abs() * 100.0;
    off.retain(|(share, _)| far(*share) > test.margin);
    off.sort_by(|a, b| far(b.0).total_cmp(&far(a.0)));
    let against =
        off.into_iter().map(|(share, what)| format!("the farthest {share:.2} % ({what})"));
    let how = format!(
        "bits of the formats' blocks, and bytes of files of {} models, against {}; {} % ± {} % of it is true{}",
        test.models.len(),
        test.of,
        trimmed(test.percent),
        trimmed(test.margin),
        seen.words()
    );
    Ok(Found { how, measured, against: against.collect(), open: vec![], tested })
}

fn size(test: &Size, cache: Option<&Path>) -> Result<Found, String> {
    let mut seen = Seen::default();
    let (mut measured, mut off, mut tested) = (Vec::new(), Vec::new(), 0);
    for model in &test.models {
        for name in &test.quantisations {
            let bytes = seen.bytes(model, name, cache)? as f64 / 1e9;
            tested += 1;
            measured.push(format!("{model}:{name}: {bytes:.3} GB"));
            let far = (bytes / test.gigabytes - 1.0).abs() * 100.0;
            if far > test.margin {
                off.push((far, format!("the farthest {bytes:.3} GB ({model}:{name})")));
            }
        }
    }
    off.sort_by(|a, b| b.0.total_cmp(&a.0));
    let how = format!(
        "bytes of files; {} GB ± {} % is true{}",
        trimmed(test.gigabytes),
        trimmed(test.margin),
        seen.words()
    );
    let against = off.into_iter().map(|(_, words)| words).collect();
    Ok(Found { how, measured, against, open: vec![], tested })
}

fn fits(test: &Fits, cache: Option<&Path>) -> Result<Found, String> {
    let mut seen = Seen::default();
    let (mut measured, mut off, mut tested) = (Vec::new(), Vec::new(), 0);
    for model in &test.models {
        for name in &test.quantisations {
            let file = seen.bytes(model, name, cache)?;
            let kv = kv_bytes(model, name, test.context, test.kv)?;
            let total = (file + kv) as f64 / 1e9;
            tested += 1;
            let fits = total <= test.gigabytes;
            let word = if fits { "fits" } else { "does not fit" };
            measured.push(format!(
                "{model}:{name}: file {:.3} GB + keys and values {:.3} GB = {total:.3} GB, {word}",
                file as f64 / 1e9,
                kv as f64 / 1e9
            ));
            if fits != test.expected {
                let far = (total - test.gigabytes).abs();
                off.push((far, format!("the farthest {total:.3} GB ({model}:{name})")));
            }
        }
    }
    off.sort_by(|a, b| b.0.total_cmp(&a.0));
    let word = if test.expected { "at most" } else { "above" };
    let how = format!(
        "bytes of the file and of {} positions of keys and values in {}, nothing else; {word} {} GB is true{}",
        test.context,
        test.kv.name(),
        trimmed(test.gigabytes),
        seen.words()
    );
    let against = off.into_iter().map(|(_, words)| words).collect();
    Ok(Found { how, measured, against, open: vec![], tested })
}

/// Files whose sizes were used, and how many of them are written.
#[derive(Default)]
struct Seen {
    all: Vec<String>,
    written: usize,
}

impl Seen {
    /// Bytes of a preset's file: exact before it is written. One that is written must have them.
    fn bytes(&mut self, model: &str, name: &str, cache: Option<&Path>) -> Result<u64, String> {
        let text = format!("{model}:{name}");
        let preset = PresetRef::parse(&text).map_err(|error| error.to_string())?;
        let planned = preset::file_bytes(&preset).map_err(|error| error.to_string())?;
        if self.all.contains(&text) {
            return Ok(planned);
        }
        self.all.push(text.clone());
        let path = cache.and_then(|cache| preset::cache_path(&preset, cache).ok());
        if let Some(there) = path.and_then(|path| std::fs::metadata(path).ok()) {
            if there.len() != planned {
                return Err(format!(
                    "{text}: the file written has {} bytes, planned were {planned}",
                    there.len()
                ));
            }
            self.written += 1;
        }
        Ok(planned)
    }

    fn words(&self) -> String {
        let all = self.all.len();
        match self.written {
            0 => format!(". None of the {all} files is written here: sizes are those planned"),
            n => format!(". {n} of the {all} files are written here and have the bytes planned"),
        }
    }
}

/// Bits a weight of a format, or of the format that most of a mix is in.
fn bits(name: &str) -> Result<f64, String> {
    let mix = Mix::from_name(name).ok_or_else(|| format!("unknown quantisation {name}"))?;
    let layout = mix.base().layout();
    Ok(8.0 * layout.block_bytes as f64 / layout.block_len as f64)
}

/// Keys and values of all layers; a window holds them all, as engines that do not cut their caches do.
fn kv_bytes(model: &str, name: &str, context: usize, kv: KvType) -> Result<u64, String> {
    let preset = PresetRef::parse(&format!("{model}:{name}")).map_err(|error| error.to_string())?;
    let network = preset.recipe().network().map_err(|error| error.to_string())?;
    let layer = |layer: &yardstick_model::arch::Layer| {
        kv.bytes_of((layer.kv_heads * (layer.key_dim + layer.value_dim)) as u64)
    };
    Ok(network.layers.iter().map(layer).sum::<u64>() * context as u64)
}

/// A number without zeros behind its point.
pub(super) fn trimmed(number: f64) -> String {
    format!("{number}")
}
