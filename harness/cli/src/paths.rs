//! Where things are kept: the store, the cache of models and reference answers, the reports; where models come from.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use yardstick_fetch::Sources;

use crate::args::Global;

/// The directories of this invocation. Only here and in `stores` are environment variables read.
pub(crate) struct Paths {
    /// The SQLite store.
    pub(crate) store: PathBuf,
    /// Written presets and cached answers; may be deleted at any time.
    pub(crate) cache: PathBuf,
    /// Where HTML reports go unless told otherwise.
    pub(crate) reports: PathBuf,
}

impl Paths {
    /// Flags first, then the variables clap read for them, then the platform's usual places.
    pub(crate) fn resolve(global: &Global) -> Result<Paths> {
        let data = match &global.data_dir {
            Some(dir) => dir.clone(),
            None => base("XDG_DATA_HOME", "LOCALAPPDATA", ".local/share")?,
        };
        let cache = match &global.cache_dir {
            Some(dir) => dir.clone(),
            None => base("XDG_CACHE_HOME", "LOCALAPPDATA", ".cache")?,
        };
        let store = global.store.clone().unwrap_or_else(|| data.join("records.sqlite"));
        Ok(Paths { store, cache, reports: data.join("reports") })
    }

    /// An error if a file about to be written is the store: years of records would be a table.
    pub(crate) fn spare_the_store(&self, output: Option<&Path>) -> Result<()> {
        match output {
            Some(path) if same_file(path, &self.store) => {
                bail!("{} is the store of records; name another file", path.display())
            }
            _ => Ok(()),
        }
    }

    /// Written models.
    pub(crate) fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// Where named models come from; an invocation that names none reads none of these variables.
    pub(crate) fn sources(&self) -> Sources {
        crate::stores::sources()
    }

    /// Cached reference answers and model hashes.
    pub(crate) fn answers(&self) -> PathBuf {
        self.cache.join("reference")
    }
}

/// Folders in which Python packages may be: of this Python, of the active environment, the user's and the system's; those that exist.
/// No Python is started for it.
pub(crate) fn python_packages(python: &Path) -> Vec<PathBuf> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    let on_path = || {
        let folders = env::split_paths(&env::var_os("PATH")?).collect::<Vec<_>>();
        folders.into_iter().map(|folder| folder.join(python)).find(|file| file.is_file())
    };
    let program = if python.components().count() > 1 { Some(python.to_owned()) } else { on_path() };
    // PREFIX/bin/python
    let own = program.and_then(|file| Some(file.parent()?.parent()?.to_owned()));
    let user = variable("HOME").map(|home| home.join(".local"));
    let system = ["/usr/local", "/usr"].map(PathBuf::from);
    let prefixes = [own, variable("VIRTUAL_ENV"), user].into_iter().flatten().chain(system);
    let mut folders: Vec<PathBuf> = Vec::new();
    for prefix in prefixes {
        let mut found: Vec<PathBuf> = std::fs::read_dir(prefix.join("lib"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with("python3"))
            })
            .flat_map(|lib| ["site-packages", "dist-packages"].map(|name| lib.join(name)))
            // Windows keeps them in PREFIX/Lib.
            .chain([prefix.join("Lib").join("site-packages")])
            .filter(|path| path.is_dir())
            .collect();
        found.sort();
        folders.extend(found);
    }
    folders.dedup();
    folders
}

/// Whether two paths lead to one existing file.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn base(xdg: &str, windows: &str, under_home: &str) -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute(xdg)
        .or_else(|| if cfg!(windows) { absolute(windows) } else { None })
        .or_else(|| absolute("HOME").map(|home| home.join(under_home)))
        .map(|dir| dir.join("yardstick"))
        .with_context(|| {
            format!("no home directory: set HOME, {xdg}, or pass --data-dir and --cache-dir")
        })
}
