//! Where ONNX Runtime and its plug-in providers may be: named by the caller, in folders of Python packages, in the system's folders.

use std::path::{Path, PathBuf};

/// Where to look. Nothing here reads the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// A runtime's library, or a folder of packages: then nothing else is looked at.
    pub runtime: Option<PathBuf>,
    /// Folders of Python packages (`site-packages`), best first; also those one level below are looked at.
    pub packages: Vec<PathBuf>,
    /// Look into the system's folders of libraries.
    pub system: bool,
}

/// A library that may be a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuntimeFile {
    pub(crate) path: PathBuf,
    /// How it was found, for people.
    pub(crate) found: String,
}

/// A provider that is a library of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    /// The name it is registered by, which is its provider's.
    pub(crate) provider: &'static str,
    pub(crate) path: PathBuf,
}

/// Providers that come as packages of their own: provider, package folder, stem of the library.
const PLUGINS: &[(&str, &str, &str)] = &[
    ("QNNExecutionProvider", "onnxruntime_qnn", "onnxruntime_providers_qnn"),
    (
        "OpenVINOExecutionProvider",
        "onnxruntime_ep_openvino",
        "onnxruntime_providers_openvino_plugin",
    ),
];

/// Folders of libraries on systems that have such.
const SYSTEM: &[&str] = &[
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/onnxruntime/lib",
    "/opt/homebrew/lib",
];

impl Search {
    /// Every library that may be a runtime, best first.
    pub(crate) fn runtimes(&self) -> Vec<RuntimeFile> {
        let mut files = Vec::new();
        if let Some(named) = self.runtime.as_deref().filter(|path| !path.is_dir()) {
            let found = "named by --runtime or ORT_DYLIB_PATH".to_owned();
            return vec![RuntimeFile { path: named.to_owned(), found }];
        }
        for folder in self.folders() {
            let inside = folder.join("onnxruntime").join("capi");
            if let Some(path) = library_in(&inside) {
                let found = format!("in the package {}", folder.join("onnxruntime").display());
                add(&mut files, path, found);
            }
            if let Some(path) = library_in(&folder).filter(|_| self.runtime.is_some()) {
                let why = format!("in {}", folder.display());
                add(&mut files, path, why);
            }
        }
        if self.runtime.is_none() && self.system {
            for folder in SYSTEM {
                if let Some(path) = library_in(Path::new(folder)) {
                    add(&mut files, path, format!("in {folder}"));
                }
            }
        }
        files
    }

    /// Every plug-in provider, best first; a second one of the same provider is not.
    pub(crate) fn plugins(&self) -> Vec<Plugin> {
        let mut found: Vec<Plugin> = Vec::new();
        for folder in self.folders() {
            for &(provider, package, stem) in PLUGINS {
                let path = folder.join(package).join(file_name(stem));
                if path.is_file() && found.iter().all(|plugin| plugin.provider != provider) {
                    found.push(Plugin { provider, path });
                }
            }
        }
        found
    }

    /// Where it was looked, for people.
    pub(crate) fn describe(&self) -> String {
        let mut places: Vec<String> = match &self.runtime {
            Some(path) => vec![path.display().to_string()],
            None => self.packages.iter().map(|path| path.display().to_string()).collect(),
        };
        if self.runtime.is_none() && self.system {
            places.push("the system's folders of libraries".to_owned());
        }
        if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") }
    }

    /// Folders that may hold packages, those below each of them included. Absolute: the runtime takes a plug-in's relative path to
    /// begin at its own library.
    fn folders(&self) -> Vec<PathBuf> {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let runtime = self.runtime.as_ref().map(absolute);
        let packages: Vec<PathBuf> = self.packages.iter().map(absolute).collect();
        let roots = match runtime {
            Some(path) if path.is_dir() => vec![path],
            // Plug-ins lie beside the package of the runtime: site-packages/onnxruntime/capi/libonnxruntime.so.
            Some(path) => {
                let beside = path.ancestors().nth(3).map(Path::to_path_buf);
                beside.into_iter().chain(packages).collect()
            }
            None => packages,
        };
        let mut folders = Vec::new();
        for root in roots {
            let mut below: Vec<PathBuf> = std::fs::read_dir(&root)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.join("onnxruntime").is_dir() || has_plugin(path))
                .collect();
            below.sort();
            folders.push(root);
            folders.extend(below);
        }
        folders
    }
}

fn has_plugin(folder: &Path) -> bool {
    PLUGINS.iter().any(|(_, package, _)| folder.join(package).is_dir())
}

fn add(files: &mut Vec<RuntimeFile>, path: PathBuf, found: String) {
    if files.iter().all(|other| other.path != path) {
        files.push(RuntimeFile { path, found });
    }
}

/// `libfoo.so`, `libfoo.dylib`, `foo.dll`.
fn file_name(stem: &str) -> String {
    format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The runtime's library in a folder; wheels add its version to the name.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let exact = folder.join(file_name("onnxruntime"));
    if exact.is_file() {
        return Some(exact);
    }
    let entries = std::fs::read_dir(folder).ok()?;
    let mut versions: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("libonnxruntime.so.") || name.starts_with("libonnxruntime.1.")
        })
        .collect();
    versions.sort();
    versions.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_in_a_folder_and_below_it_and_a_named_file_is_all_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };
        let own = write(&format!("onnxruntime/capi/{}", file_name("onnxruntime")));
        let versioned = match cfg!(target_os = "linux") {
            true => write("b/onnxruntime/capi/libonnxruntime.so.1.24.1"),
            false => write(&format!("b/onnxruntime/capi/{}", file_name("onnxruntime"))),
        };
        let plugin =
            write(&format!("a/onnxruntime_qnn/{}", file_name("onnxruntime_providers_qnn")));
        let search = Search { packages: vec![folder.path().to_owned()], ..Search::default() };
        let paths: Vec<PathBuf> = search.runtimes().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, [own.clone(), versioned]);
        assert_eq!(search.plugins(), [Plugin { provider: "QNNExecutionProvider", path: plugin }]);
        let named = Search { runtime: Some(own.clone()), ..search.clone() };
        assert_eq!(named.runtimes().len(), 1);
        assert_eq!(named.plugins().len(), 1, "beside the package it is in");
        let nowhere = Search { runtime: Some("/nonexistent/x.so".into()), ..Search::default() };
        assert_eq!(nowhere.runtimes().len(), 1, "what was named is tried, and said to be missing");
        assert!(Search::default().runtimes().is_empty());
        let relative = Search { packages: vec!["here".into()], ..Search::default() };
        assert!(relative.folders().iter().all(|folder| folder.is_absolute()));
    }
}
