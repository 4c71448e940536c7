//! Logs of trials: one JSON object a line, appended, never edited.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use yardstick_analyse::gate::Launch;

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    pub(crate) case: String,
    pub(crate) condition: String,
    pub(crate) kernel: String,
    /// passed, slower or inconclusive
    pub(crate) outcome: String,
    pub(crate) reason: String,
    /// Relative, of what decided.
    pub(crate) estimate: Option<f64>,
    pub(crate) control: Option<f64>,
    pub(crate) seconds: f64,
    /// Of CPU time, all of them; then those of the second measurement.
    pub(crate) launches: Vec<Launch>,
    pub(crate) confirmed: Option<Vec<Launch>>,
    /// The same by wall time.
    pub(crate) walls: Vec<Launch>,
    /// One-minute load average before it.
    pub(crate) load: Option<f64>,
    pub(crate) seed: u64,
}

/// Every trial of some logs.
pub(crate) fn read(logs: &[&str]) -> Result<Vec<Trial>, String> {
    let mut trials = Vec::new();
    for log in logs {
        let file = File::open(log).map_err(|error| format!("{log}: {error}"))?;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| format!("{log}: {error}"))?;
            let trial = serde_json::from_str(&line);
            trials.push(trial.map_err(|error| format!("{log}, line {}: {error}", number + 1))?);
        }
    }
    Ok(trials)
}

/// Adds one, whole.
pub(crate) fn append(log: &Path, trial: &Trial) -> Result<(), String> {
    let line = serde_json::to_string(trial).map_err(|error| error.to_string())? + "\n";
    let file = OpenOptions::new().create(true).append(true).open(log);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(|error| format!("{}: {error}", log.display()))
}
