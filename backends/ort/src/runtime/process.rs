//! The runtime of this process. ONNX Runtime has one environment a process and `ort` one library, so this is the one global there is:
//! the first session decides, and later ones of another runtime are refused in words.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use ort::environment::Environment;
use ort::logging::LogLevel;
use yardstick_api::Error;

use super::Plugin;

/// Lines of the log kept.
const LINES: usize = 64;

/// A runtime that sessions are made in.
pub(crate) struct Process {
    pub(crate) environment: Environment,
    path: PathBuf,
    /// What it logged as warnings and errors.
    pub(crate) log: Arc<Log>,
    registered: Mutex<Vec<&'static str>>,
}

/// The last lines of a log.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<VecDeque<String>>,
}

impl Log {
    fn push(&self, line: String) {
        if let Ok(mut lines) = self.lines.lock() {
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }

    /// Takes all lines.
    pub(crate) fn take(&self) -> Vec<String> {
        self.lines.lock().map(|mut lines| lines.drain(..).collect()).unwrap_or_default()
    }
}

static PROCESS: OnceLock<Result<Process, String>> = OnceLock::new();

/// The process's runtime: this library, or an error if it is another one already.
pub(crate) fn process(path: &Path) -> Result<&'static Process, Error> {
    let process = PROCESS.get_or_init(|| start(path)).as_ref();
    let process = process.map_err(|error| Error::Device(error.clone()))?;
    if process.path != path {
        return Err(Error::Device(format!(
            "this process runs {}, {} needs one of its own",
            process.path.display(),
            path.display()
        )));
    }
    Ok(process)
}

fn start(path: &Path) -> Result<Process, String> {
    let log = Arc::new(Log::default());
    let sink = Arc::clone(&log);
    let environment = ort::init_from(path)
        .map_err(|error| error.to_string())?
        .with_name("yardstick")
        .with_telemetry(false)
        .with_logger(Arc::new(move |level, _: &str, _: &str, _: &str, message: &str| {
            if level >= LogLevel::Warning {
                sink.push(log_line(message));
            }
        }))
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Warning);
    Ok(Process { environment, path: path.to_owned(), log, registered: Mutex::new(Vec::new()) })
}

impl Process {
    /// Registers a plug-in, once.
    pub(crate) fn register(&self, plugin: &Plugin) -> Result<(), Error> {
        let mut registered = self
            .registered
            .lock()
            .map_err(|_| Error::Device("a registration of a provider panicked".into()))?;
        if !registered.contains(&plugin.provider) {
            self.environment
                .register_ep_library(plugin.provider, &plugin.path)
                .map_err(|error| Error::Device(format!("{}: {error}", plugin.path.display())))?;
            registered.push(plugin.provider);
        }
        Ok(())
    }
}

/// One line of a runtime's log as one line of ours: without the path of the source it came from.
pub(crate) fn log_line(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.rsplit_once("[ERROR] ") {
        Some((_, reason)) => reason.to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_the_reason_alone() {
        let line = "/onnxruntime/core/providers/x.cc:141 std::string f(int) [ERROR] [OpenVINO] Device NPU is not available\n";
        assert_eq!(log_line(line), "[OpenVINO] Device NPU is not available");
        let log = Log::default();
        (0..LINES + 3).for_each(|i| log.push(i.to_string()));
        let lines = log.take();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "3"));
        assert!(log.take().is_empty());
    }
}
