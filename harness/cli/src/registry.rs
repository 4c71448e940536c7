//! The registry of backends: adding one is one line here. And the programs beside this one that have devices.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use yardstick_api::Backend;
use yardstick_measure::plan::Role;
use yardstick_measure::runner::{Worker, WorkerCommand};

use crate::args::Programs;
use crate::words;

/// What backends are given by the command line.
#[cfg_attr(
    not(all(feature = "cuda", feature = "ort")),
    allow(dead_code, reason = "a backend left out takes nothing")
)]
pub(crate) struct Given {
    /// Where a backend may keep what it can make again.
    pub(crate) cache: Option<PathBuf>,
    /// ONNX Runtime's library or folder, where one was named.
    pub(crate) runtime: Option<PathBuf>,
    /// Folders of Python packages, which may hold runtimes.
    pub(crate) packages: Vec<PathBuf>,
    /// Adds the backend that makes answers up and misbehaves on purpose.
    pub(crate) test_doubles: bool,
}

/// Every backend this build carries.
pub(crate) fn backends(given: &Given) -> Vec<Box<dyn Backend>> {
    #[cfg(any(feature = "cpu", feature = "cuda", feature = "wgpu"))]
    let cache = given.cache.as_deref();
    let mut backends: Vec<Box<dyn Backend>> = vec![
        #[cfg(feature = "cpu")]
        Box::new(yardstick_cpu::Cpu.keeping(cache.map(|cache| cache.join("packed")))),
        #[cfg(feature = "candle")]
        Box::new(yardstick_candle::Candle),
        #[cfg(not(feature = "candle"))]
        Box::new(crate::absent::Absent { backend: "candle", device: "candle:cpu" }),
        #[cfg(feature = "cuda")]
        Box::new(yardstick_cuda::Cuda::new(cache.map(|cache| cache.join("kernels")))),
        #[cfg(not(feature = "cuda"))]
        Box::new(crate::absent::Absent { backend: "cuda", device: "cuda:0" }),
        #[cfg(feature = "ort")]
        Box::new(ort(given)),
        #[cfg(not(feature = "ort"))]
        Box::new(crate::absent::Absent { backend: "ort", device: "ort:cpu" }),
        #[cfg(feature = "wgpu")]
        Box::new(yardstick_wgpu::Wgpu::keeping(cache.map(|cache| cache.join("adapters")))),
        #[cfg(not(feature = "wgpu"))]
        Box::new(crate::absent::Absent { backend: "wgpu", device: "wgpu:0" }),
        Box::new(yardstick_reference::Reference),
    ];
    if given.test_doubles {
        backends.push(Box::new(yardstick_null::Null::misbehaving()));
    }
    backends
}

#[cfg(feature = "ort")]
fn ort(given: &Given) -> yardstick_ort::Ort {
    let search = yardstick_ort::Search {
        runtime: given.runtime.clone(),
        packages: given.packages.clone(),
        system: true,
    };
    let cache = given.cache.as_ref().map(|cache| cache.join("onnx"));
    yardstick_ort::Ort::new(yardstick_ort::Settings { search, cache, ..Default::default() })
}

/// A program of another language that comes with this one.
struct Peer {
    /// Its backend, and what `--devices` calls it.
    name: &'static str,
    /// Its files; the first is run.
    files: &'static [(&'static str, &'static str)],
    /// What a machine without Python is told.
    fix: &'static str,
}

const PEERS: &[Peer] = &[Peer {
    name: "llama.cpp",
    files: &[
        ("llama_cpp.py", include_str!("../../../backends/external/llama_cpp.py")),
        ("worker.py", include_str!("../../../backends/external/worker.py")),
        ("session.py", include_str!("../../../backends/external/session.py")),
        ("facts.py", include_str!("../../../backends/external/facts.py")),
        ("header.py", include_str!("../../../backends/external/header.py")),
    ],
    fix: "python3 -m pip install llama-cpp-python, or name a Python that has it: --python FILE",
}];

/// Which programs are started to be asked.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All of them.
    Everything,
    /// This one, what the command line gives, and those that a device selector names.
    Named(&'a [String]),
}

/// The programs of a run.
pub(crate) struct Workers {
    /// This program first.
    pub(crate) list: Vec<Worker>,
    /// Backends of programs that nothing named.
    pub(crate) unasked: Vec<String>,
}

/// This program and those the flags name. `cache` is where scripts are written to be run.
pub(crate) fn workers(
    programs: &Programs,
    cache: Option<&Path>,
    wanted: Wanted<'_>,
) -> Result<Workers> {
    let mut own = Worker::own(own(programs, cache)?);
    if !programs.build.is_empty() {
        own.role = Role::Oracle;
    }
    let mut workers = Workers { list: vec![own], unasked: Vec::new() };
    for build in &programs.build {
        workers.list.push(named_build(build, programs.test_doubles, cache)?);
    }
    for worker in &programs.worker {
        workers.list.push(external(worker)?);
    }
    for peer in PEERS {
        match wanted {
            Wanted::Named(selectors) if !names(selectors, peer.name) => {
                workers.unasked.push(peer.name.to_owned());
            }
            _ => workers.list.push(peer.worker(&programs.python, cache)),
        }
    }
    distinct(&workers.list)?;
    Ok(workers)
}

/// This program for the sake of its reference, where others are measured.
pub(crate) fn oracle(cache: &Path) -> Result<Worker> {
    let programs = Programs { python: PathBuf::from("python3"), ..Programs::default() };
    Ok(Worker { role: Role::Oracle, ..Worker::own(own(&programs, Some(cache))?) })
}

/// This program again, as a worker with the same backends.
fn own(programs: &Programs, cache: Option<&Path>) -> Result<WorkerCommand> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = serving(program, programs.test_doubles);
    let places = [
        ("--cache-dir", cache),
        ("--runtime", programs.runtime.as_deref()),
        ("--python", Some(&*programs.python)),
    ];
    places.into_iter().for_each(|(flag, path)| place(&mut command, flag, path));
    Ok(command)
}

/// Gives a worker of this protocol's own programs a place.
fn place(command: &mut WorkerCommand, flag: &str, path: Option<&Path>) {
    // A path that is no text can only be given by the environment, which the worker inherits.
    if let Some(path) = path.and_then(Path::to_str).filter(|path| !path.is_empty()) {
        command.arguments.extend([flag.to_owned(), path.to_owned()]);
    }
}

fn serving(program: PathBuf, test_doubles: bool) -> WorkerCommand {
    let mut arguments = vec!["worker".to_owned()];
    if test_doubles {
        arguments.push("--test-doubles".to_owned());
    }
    WorkerCommand { program, arguments }
}

/// `LABEL=FILE`.
fn named_build(text: &str, test_doubles: bool, cache: Option<&Path>) -> Result<Worker> {
    let (label, file) = pair("--build", text, "base=target/release/yardstick")?;
    let program = Path::new(file);
    if !program.is_file() {
        bail!("--build {label}: {file} is not a file; give the path of a yardstick program");
    }
    // A bare name would be looked for on the PATH.
    let program = program.canonicalize().with_context(|| format!("--build {label}: {file}"))?;
    let role = Role::Build(label.to_owned());
    let mut command = serving(program, test_doubles);
    place(&mut command, "--cache-dir", cache);
    Ok(Worker::new(role, command, None))
}

/// `NAME=COMMAND ARGUMENTS`, split as a shell would, never given to one.
fn external(text: &str) -> Result<Worker> {
    let example = "llama.cpp='python3 llama_cpp.py'";
    let (name, command) = pair("--worker", text, example)?;
    let mut words = words::split(command)
        .with_context(|| format!("--worker {name}: its command has an open quote"))?;
    if words.is_empty() {
        bail!("--worker {name} has no command; write {example}");
    }
    let program = PathBuf::from(words.remove(0));
    let command = WorkerCommand { program, arguments: words };
    Ok(Worker::new(Role::External(name.to_owned()), command, None))
}

/// `NAME=REST`.
pub(crate) fn pair<'t>(flag: &str, text: &'t str, example: &str) -> Result<(&'t str, &'t str)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match text.split_once('=') {
        Some((name, rest)) if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) => {
            Ok((name, rest))
        }
        _ => bail!(
            "{flag} {text:?}: expected a name of letters, digits, '.', '_' and '-', then '=', \
             as in {flag} {example}"
        ),
    }
}

/// Every build and every program under a name of its own.
fn distinct(workers: &[Worker]) -> Result<()> {
    for (index, worker) in workers.iter().enumerate().skip(1) {
        if workers[..index].iter().any(|other| other.role == worker.role) {
            bail!("{} is named twice", worker.role.title());
        }
    }
    Ok(())
}

/// Whether a selector means devices of a backend.
fn names(selectors: &[String], backend: &str) -> bool {
    selectors.iter().any(|selector| selector.split(':').next() == Some(backend))
}

impl Peer {
    fn worker(&self, python: &Path, cache: Option<&Path>) -> Worker {
        let arguments = match self.write(cache) {
            Ok(script) => vec![script.display().to_string()],
            // Python says that it cannot open it, and the device is listed as missing with that.
            Err(error) => vec![format!("{}: {error}", self.files[0].0)],
        };
        let command = WorkerCommand { program: python.to_owned(), arguments };
        Worker::new(Role::External(self.name.to_owned()), command, Some(self.fix.to_owned()))
    }

    /// Writes the files into a folder named after their content; what is there already is compared, not trusted.
    fn write(&self, cache: Option<&Path>) -> Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        self.files.hash(&mut hasher);
        let folder = match cache {
            Some(cache) => cache.join("workers"),
            None => bail!("there is no cache folder to write it into: pass --cache-dir"),
        };
        let folder = folder.join(format!("{}-{:016x}", self.name, hasher.finish()));
        std::fs::create_dir_all(&folder)?;
        for (name, text) in self.files {
            let path = folder.join(name);
            if std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
                continue;
            }
            let part = folder.join(format!("{name}.{}.part", std::process::id()));
            std::fs::write(&part, text)?;
            std::fs::rename(&part, &path)?;
        }
        Ok(folder.join(self.files[0].0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(build: &[&str], worker: &[&str]) -> Programs {
        let own = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        let python = PathBuf::from("python3");
        Programs { build: own(build), worker: own(worker), python, ..Programs::default() }
    }

    #[test]
    fn programs_are_named_once_and_never_given_to_a_shell() {
        let nothing: [String; 0] = [];
        let ask = |programs: &Programs| workers(programs, None, Wanted::Named(&nothing));
        let found = ask(&programs(&[], &[r#"snake=python3 -c 'a; b' "$HOME x""#])).unwrap();
        let command = &found.list[1].command;
        assert_eq!(command.program, Path::new("python3"));
        assert_eq!(command.arguments, ["-c", "a; b", "$HOME x"]);
        assert_eq!(found.unasked, ["llama.cpp"], "nothing named it, so Python is not started");
        for (build, worker, why) in [
            (&["base=/nonexistent"][..], &[][..], "is not a file"),
            (&["base"], &[], "expected a name"),
            (&["a b=/bin/sh"], &[], "expected a name"),
            (&["a=/bin/sh", "a=/bin/sh"], &[], "build a is named twice"),
            (&[], &["x=y", "x=z"], "worker x is named twice"),
            (&[], &["x="], "has no command"),
            (&[], &["x='y"], "open quote"),
        ] {
            let error = ask(&programs(build, worker)).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|error| error.contains(why)), "{why}: {error:?}");
        }
        let named = ["llama.cpp:cpu".to_owned()];
        let found = workers(&programs(&[], &[]), None, Wanted::Named(&named)).unwrap();
        assert_eq!(found.list[1].role, Role::External("llama.cpp".to_owned()));
    }

    #[test]
    fn a_peers_files_are_written_once_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let script = PEERS[0].write(Some(folder.path())).unwrap();
        assert_eq!(std::fs::read_to_string(&script).unwrap(), PEERS[0].files[0].1);
        std::fs::write(&script, "evil").unwrap();
        assert_eq!(PEERS[0].write(Some(folder.path())).unwrap(), script);
        assert_eq!(std::fs::read_to_string(&script).unwrap(), PEERS[0].files[0].1);
        assert!(PEERS[0].write(None).unwrap_err().to_string().contains("--cache-dir"));
    }
}
