//! `gate.toml`: how a repository's benches are built and run. Read from the folder the gate is started in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use yardstick_measure::suite::{Error as SuiteError, Suite};

use crate::{Error, Recipe};

/// A whole file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    build: Build,
    /// What is measured.
    pub bench: Bench,
    #[serde(default)]
    limits: Limits,
    /// Of `kind = "protocol"`: as a suite has them.
    #[serde(default)]
    budget: Vec<toml::Table>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    /// Words, run in the checkout's root with `CARGO_TARGET_DIR` set.
    command: Vec<String>,
    /// The same for the control copy of the base.
    control: Option<Vec<String>>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// The program, in the target folder or the checkout; `*` in its name stands for a hash.
    program: PathBuf,
}

/// What is measured, and how.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Bench {
    /// A program that speaks backends/SLICES.md.
    Slices {
        /// What it is given.
        #[serde(default)]
        arguments: Vec<String>,
    },
    /// A criterion binary.
    Criterion {
        /// What it is given beside the gate's own.
        #[serde(default)]
        arguments: Vec<String>,
    },
    /// Any program: what it prints, or else what it takes.
    Command {
        /// What it is given.
        #[serde(default)]
        arguments: Vec<String>,
        /// Of the number on its last line; its whole run is timed where there is none.
        unit: Option<Unit>,
        /// Runs of each side a launch.
        #[serde(default = "five")]
        runs: usize,
    },
    /// A program that speaks backends/PROTOCOL.md, and a small suite for it.
    Protocol(Box<Protocol>),
}

/// What workers are asked; the keys are a suite's (suites/FORMAT.md).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// What the program is given.
    #[serde(default)]
    arguments: Vec<String>,
    models: Vec<String>,
    devices: Vec<String>,
    tests: Vec<String>,
    #[serde(default)]
    quantisations: Vec<String>,
    #[serde(default)]
    options: toml::Table,
    #[serde(default)]
    sampling: toml::Table,
    #[serde(default)]
    deadlines: toml::Table,
    verify: Option<bool>,
}

impl Protocol {
    /// As the text of a suite, so that one reader knows all keys.
    fn suite(&self, budgets: &[toml::Table]) -> toml::Table {
        let texts = |list: &[String]| list.iter().cloned().map(toml::Value::String).collect();
        let mut suite = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| {
            suite.insert(key.to_owned(), value);
        };
        put("name", toml::Value::String("gate".to_owned()));
        put("analysis", toml::Value::String("What gate.toml asks of both sides.".to_owned()));
        for (key, list) in [
            ("models", &self.models),
            ("devices", &self.devices),
            ("tests", &self.tests),
            ("quantisations", &self.quantisations),
        ] {
            if !list.is_empty() || key != "quantisations" {
                put(key, toml::Value::Array(texts(list)));
            }
        }
        for (key, table) in [
            ("options", &self.options),
            ("sampling", &self.sampling),
            ("deadlines", &self.deadlines),
        ] {
            if !table.is_empty() {
                put(key, toml::Value::Table(table.clone()));
            }
        }
        if let Some(verify) = self.verify {
            put("verify", toml::Value::Boolean(verify));
        }
        if !budgets.is_empty() {
            put(
                "budget",
                budgets.iter().cloned().map(toml::Value::Table).collect::<Vec<_>>().into(),
            );
        }
        suite
    }
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are what they say")]
pub enum Unit {
    Ns,
    Us,
    Ms,
    S,
}

impl Unit {
    /// Nanoseconds of one.
    pub(super) fn ns(self) -> f64 {
        match self {
            Unit::Ns => 1.0,
            Unit::Us => 1e3,
            Unit::Ms => 1e6,
            Unit::S => 1e9,
        }
    }
}

fn five() -> usize {
    5
}

/// What must be caught, in percent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    /// Slow-downs at or below this never fail.
    floor_percent: Option<f64>,
    /// Slow-downs from here on must not pass.
    caught_percent: Option<f64>,
}

impl Config {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Config, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let told =
            |error: &dyn std::fmt::Display| Error::Request(format!("{}: {error}", path.display()));
        let config: Config = toml::from_str(&text).map_err(|error| told(&error))?;
        config.plan().check().map_err(|error| told(&error))?;
        if config.build.command.is_empty() {
            return Err(told(&"build.command is empty, expected the words of a command"));
        }
        if matches!(config.bench, Bench::Command { runs: 0, .. }) {
            return Err(told(&"bench.runs: 0, expected 1 or more"));
        }
        let protocol = matches!(config.bench, Bench::Protocol(_));
        if !protocol && !config.budget.is_empty() {
            return Err(told(&"[[budget]] is for kind = \"protocol\"; this kind has [limits]"));
        }
        if protocol && config.limits != Limits::default() {
            return Err(told(
                &"[limits] is not for kind = \"protocol\": write [[budget]], a limit a metric",
            ));
        }
        config.suite().map_err(|error| told(&error))?;
        Ok(config)
    }

    /// The suite that workers of `kind = "protocol"` are asked.
    pub fn suite(&self) -> Result<Option<Suite>, SuiteError> {
        let Bench::Protocol(protocol) = &self.bench else { return Ok(None) };
        let text = protocol.suite(&self.budget).to_string();
        Suite::parse("[bench]", &text).map(Some)
    }

    /// How its sides are built.
    pub fn recipe(&self) -> Recipe {
        Recipe {
            build: self.build.command.clone(),
            control: self.build.control.clone(),
            environment: self.build.environment.clone().into_iter().collect(),
            program: self.build.program.clone(),
        }
    }

    /// What its program is given.
    pub fn arguments(&self) -> &[String] {
        match &self.bench {
            Bench::Slices { arguments }
            | Bench::Criterion { arguments }
            | Bench::Command { arguments, .. } => arguments,
            Bench::Protocol(protocol) => &protocol.arguments,
        }
    }

    /// How time is judged: as CPU time is, with this file's limits.
    pub fn plan(&self) -> yardstick_analyse::gate::Plan {
        let plan = yardstick_analyse::gate::Plan::cpu_time();
        let share =
            |percent: Option<f64>, usual: f64| percent.map_or(usual, |percent| percent / 100.0);
        let (floor, caught) = (plan.floor, plan.caught);
        let Limits { floor_percent, caught_percent } = self.limits;
        let (floor, caught) = (share(floor_percent, floor), share(caught_percent, caught));
        yardstick_analyse::gate::Plan { floor, caught, ..plan }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gate.toml");
        std::fs::write(&file, text).unwrap();
        Config::read(&file).map_err(|error| error.to_string())
    }

    const BUILD: &str = "[build]\ncommand = [\"make\"]\nprogram = \"bench\"\n";

    #[test]
    fn a_file_is_read_and_limits_are_percent() {
        let text = format!(
            "{BUILD}[bench]\nkind = \"command\"\nunit = \"ms\"\n[limits]\ncaught_percent = 5\n"
        );
        let config = read(&text).unwrap();
        assert_eq!((config.plan().caught, config.plan().floor), (0.05, 0.015));
        assert_eq!(
            config.bench,
            Bench::Command { arguments: vec![], unit: Some(Unit::Ms), runs: 5 }
        );
        assert_eq!(config.recipe().build, ["make"]);
    }

    const PROTOCOL: &str = "[build]\ncommand = [\"make\"]\nprogram = \"bench\"\n[bench]\nkind = \"protocol\"\n\
                            arguments = [\"worker\"]\nmodels = [\"rustdoc-6m\"]\ndevices = [\"cpu\"]\n\
                            tests = [\"tg16\"]\noptions = { threads = [1] }\n";

    #[test]
    fn workers_of_the_protocol_have_a_suite_with_budgets() {
        let text = format!("{PROTOCOL}[[budget]]\nmetric = \"kld_mean\"\nthreshold = 0.1\n");
        let config = read(&text).unwrap();
        let suite = config.suite().unwrap().unwrap();
        assert_eq!(
            (suite.devices, suite.models),
            (vec!["cpu".to_owned()], vec!["rustdoc-6m".to_owned()])
        );
        assert_eq!((suite.budgets.len(), config.arguments()), (1, &["worker".to_owned()][..]));
        assert_eq!(suite.options.combinations()[0].threads, Some(1));
    }

    #[test]
    fn mistakes_are_named_with_the_file() {
        for (text, word) in [
            (format!("{BUILD}[bench]\nkind = \"magic\"\n"), "magic"),
            (format!("{BUILD}[bench]\nkind = \"criterion\"\ntypo = 1\n"), "typo"),
            (format!("{BUILD}[bench]\nkind = \"command\"\nruns = 0\n"), "bench.runs"),
            (
                format!("{BUILD}[bench]\nkind = \"criterion\"\n[limits]\ncaught_percent = 1\n"),
                "caught",
            ),
            (
                format!(
                    "{BUILD}[bench]\nkind = \"criterion\"\n[[budget]]\nmetric = \"kld_mean\"\n"
                ),
                "kind = \"protocol\"",
            ),
            (format!("{PROTOCOL}[limits]\ncaught_percent = 5\n"), "[limits] is not for"),
            (format!("{PROTOCOL}[[budget]]\nmetric = \"speed\"\nthreshold = 1\n"), "speed"),
            (PROTOCOL.replace("tg16", "tgx"), "tgx"),
            (
                "[build]\ncommand = []\nprogram = \"x\"\n[bench]\nkind = \"slices\"\n".to_owned(),
                "build.command",
            ),
            ("[bench]\nkind = \"slices\"\n".to_owned(), "build"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(word) && error.contains("gate.toml"), "{word}: {error}");
        }
    }
}
