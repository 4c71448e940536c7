//! `yardstick model logits`: a device's raw answers, for other tools to check.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use yardstick_api::{Device, DeviceStatus, Options, Token};
use yardstick_measure::plan::{Inventory, Selected, select};
use yardstick_measure::runner::{self, LogitsRequest};
use yardstick_measure::suite::{Deadlines, parse_kv, parse_numerics};

use crate::args::Programs;
use crate::paths::same_file;
use crate::registry::Wanted;
use crate::verbs::DONE;
use crate::{console, interrupt, registry};

/// What `model logits` was asked for.
pub(crate) struct Request<'a> {
    pub(crate) model: PathBuf,
    pub(crate) device: &'a str,
    pub(crate) tokens: &'a [Token],
    pub(crate) out: &'a Path,
    pub(crate) step: bool,
    pub(crate) kv: &'a str,
    pub(crate) numerics: Option<&'a str>,
    pub(crate) threads: Option<usize>,
    pub(crate) programs: &'a Programs,
    pub(crate) cache: &'a Path,
}

/// Loads the model in a worker, runs the tokens, writes (tokens, vocab) little-endian f32.
pub(crate) fn run(request: &Request<'_>) -> Result<u8> {
    let cancel = interrupt::flag()?;
    let deadlines = Deadlines::default();
    let named = [request.device.to_owned()];
    let workers =
        registry::workers(request.programs, Some(request.cache), Wanted::Named(&named))?.list;
    let inventory = runner::inventory(&workers, &deadlines, &cancel)?;
    let (device, worker) = device(&inventory, request.device)?;
    let numerics = request.numerics.map(parse_numerics).transpose().context("--numerics")?;
    let options = Options {
        threads: request.threads,
        kv: one("--kv", parse_kv(request.kv).context("--kv")?)?,
        numerics: numerics.map(|list| one("--numerics", list)).transpose()?.flatten(),
        ..Options::default()
    };
    let target = Target::new(request)?;
    let asked = LogitsRequest {
        device: &device.id,
        model: &request.model,
        options: &options,
        tokens: request.tokens,
        step: request.step,
        out: &target.part,
    };
    let (rows, vocab) = runner::logits(&workers[worker].command, &deadlines, &asked, &cancel)?;
    target.keep()?;
    let out = request.out.display();
    console::tell(format!("{rows} rows of {vocab} logits from {} in {out}", device.id));
    Ok(DONE)
}

/// Where logits are written until they are whole. Dropped before it is kept, it leaves nothing.
struct Target<'a> {
    part: PathBuf,
    out: &'a Path,
}

impl Target<'_> {
    fn new<'a>(request: &Request<'a>) -> Result<Target<'a>> {
        let out = request.out;
        if same_file(out, &request.model) {
            bail!("--out {} is the model; name another file", out.display());
        }
        // A device or a pipe is written as it is: it cannot be replaced.
        if out.exists() && !out.is_file() {
            return Ok(Target { part: out.to_owned(), out });
        }
        let name = out.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("--out {} is no file's name", out.display()))?;
        let part = out.with_file_name(format!(".{name}.{}.part", std::process::id()));
        Ok(Target { part, out })
    }

    fn keep(self) -> Result<()> {
        if self.part != self.out {
            std::fs::rename(&self.part, self.out)
                .with_context(|| format!("cannot write {}", self.out.display()))?;
        }
        Ok(())
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        if self.part != self.out {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// A device by id, or a backend's best one by the backend's name.
fn device(inventory: &Inventory, name: &str) -> Result<(Device, usize)> {
    match select(&[name.to_owned()], inventory)?.as_slice() {
        [Selected::Run { device, worker, .. }] => Ok((device.clone(), *worker)),
        [Selected::Skip { id, reason, fix, .. }] => {
            let fix = fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
            bail!("device {id} is not usable here: {reason}{fix}")
        }
        several => {
            let ids: Vec<&str> = inventory.statuses().map(DeviceStatus::id).collect();
            bail!(
                "--device {name:?} names {} devices; name one of {}",
                several.len(),
                ids.join(", ")
            )
        }
    }
}

fn one<T: Clone>(flag: &str, list: Vec<T>) -> Result<T> {
    match list.as_slice() {
        [value] => Ok(value.clone()),
        values => Err(anyhow!("{flag} takes one value here, not {}", values.len())),
    }
}
