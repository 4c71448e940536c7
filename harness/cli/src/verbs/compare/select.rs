//! What sides are: `run:`, `file:`, `commit:`, `device:`, `model:` or `build:` and a name, or a bare name that is one of them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use yardstick_analyse::Brief;
use yardstick_analyse::sides::{By, Side};
use yardstick_store::{Filter, Store};

use crate::args::Compare;
use crate::briefs;

/// Prefixes, in the order in which bare names are tried.
const KINDS: [(&str, By); 6] = [
    ("file", By::File),
    ("run", By::Run),
    ("commit", By::Commit),
    ("device", By::Device),
    ("model", By::Model),
    ("build", By::Build),
];

/// Every side with its records.
pub(super) fn sides(store: Option<&Store>, path: &Path, args: &Compare) -> Result<Vec<Side>> {
    let mut names = BTreeSet::new();
    for name in &args.sides {
        ensure!(names.insert(name), "{name} is named twice: a side is not compared with itself");
    }
    let mut source = Source { store, path, among: &args.among, pool: None };
    args.sides.iter().map(|name| source.side(name)).collect()
}

/// Where sides come from.
struct Source<'a> {
    store: Option<&'a Store>,
    path: &'a Path,
    among: &'a [String],
    /// Records that commits, devices, models and builds are looked for in; read when first needed.
    pool: Option<Vec<Brief>>,
}

impl Source<'_> {
    fn side(&mut self, name: &str) -> Result<Side> {
        let stated = KINDS
            .iter()
            .find_map(|(kind, by)| Some((*by, name.strip_prefix(kind)?.strip_prefix(':')?)));
        if let Some((by, value)) = stated {
            let briefs = self.find(by, value)?;
            let briefs = briefs.with_context(|| self.unknown(name))?;
            return Ok(Side { name: name.to_owned(), briefs, by });
        }
        for (_, by) in KINDS {
            if let Some(briefs) = self.find(by, name)? {
                return Ok(Side { name: name.to_owned(), briefs, by });
            }
        }
        bail!("{}", self.unknown(name))
    }

    /// Records of a side; `None` where there is no such file, run, commit and so on.
    fn find(&mut self, by: By, value: &str) -> Result<Option<Vec<Brief>>> {
        match by {
            By::File if Path::new(value).exists() => briefs::of_file(Path::new(value)).map(Some),
            By::File => Ok(None),
            By::Run => self.run(value),
            _ => {
                let pool = self.pool()?;
                let found: Vec<Brief> =
                    pool.iter().filter(|brief| by.holds(brief, value)).cloned().collect();
                Ok((!found.is_empty()).then_some(found))
            }
        }
    }

    /// By its id or the only beginning of one.
    fn run(&self, id: &str) -> Result<Option<Vec<Brief>>> {
        let Some(store) = self.store else { return Ok(None) };
        let runs = store.runs()?;
        let ids = || runs.iter().map(|summary| summary.run.id.as_str());
        let begins: Vec<&str> = ids().filter(|known| known.starts_with(id)).collect();
        let whole = ids().find(|known| *known == id);
        match (whole, begins.as_slice()) {
            (None, []) => Ok(None),
            (None, [first, second, ..]) => {
                bail!("{} runs begin with {id:?}, {first} and {second} among them", begins.len())
            }
            (whole, begins) => {
                let run = whole.or(begins.first().copied()).map(str::to_owned);
                Ok(Some(briefs::of_store(store, &Filter { run, ..Filter::default() })))
            }
        }
    }

    fn pool(&mut self) -> Result<&[Brief]> {
        if self.pool.is_none() {
            self.pool = Some(self.read_pool()?);
        }
        Ok(self.pool.as_deref().unwrap_or_default())
    }

    fn read_pool(&self) -> Result<Vec<Brief>> {
        if self.among.is_empty() {
            let all = |store| briefs::of_store(store, &Filter::default());
            return Ok(self.store.map(all).unwrap_or_default());
        }
        let mut pool = Vec::new();
        for name in self.among {
            match Path::new(name).exists() {
                true => pool.extend(briefs::of_file(Path::new(name))?),
                false => {
                    let run = self.run(name)?;
                    pool.extend(
                        run.with_context(|| format!("--among {name}: no such file or run"))?,
                    );
                }
            }
        }
        Ok(pool)
    }

    fn unknown(&self, name: &str) -> String {
        let pool = self.pool.as_deref().unwrap_or_default();
        let list = |f: fn(&Brief) -> &String| {
            let known: BTreeSet<&str> = pool.iter().map(|brief| f(brief).as_str()).collect();
            match known.is_empty() {
                true => "none".to_owned(),
                false => known.into_iter().collect::<Vec<_>>().join(", "),
            }
        };
        let place = match (self.among.is_empty(), self.store) {
            (false, _) => self.among.join(", "),
            (true, Some(_)) => format!("the store {}", self.path.display()),
            (true, None) => format!("a store, and there is none at {}", self.path.display()),
        };
        format!(
            "{name} is no file of records, and no run, commit, device, model or build of {place}; `yardstick report --list` lists runs; devices: {}; models: {}",
            list(|brief| &brief.device),
            list(|brief| &brief.model)
        )
    }
}
