//! What is held against each other: kernels, a suite's cells, or what a gate.toml says; and how its sides are built.

use anyhow::{Context, Result};
use yardstick_gate::{Bench, Config, Recipe, yardstick_recipe};
use yardstick_measure::suite::Suite;

use crate::args::Gate;
use crate::paths::Paths;
use crate::verbs::run::suite_named;

/// The subject of a comparison.
pub(super) enum Asked {
    /// Our own kernels.
    Kernels,
    /// A suite on both sides' `yardstick`.
    Suite(Box<Suite>),
    /// Other people's benches.
    Config(Box<Config>),
    /// Other people's workers, and the suite in their gate.toml.
    Workers(Box<Config>, Box<Suite>),
}

/// How sides come to be.
pub(super) struct Build {
    /// Of revisions.
    pub(super) recipe: Recipe,
    /// What a built program is given.
    pub(super) arguments: Vec<String>,
    /// What a program named without arguments is given.
    pub(super) usual: Vec<String>,
    /// A base that cannot be built as its control stands for it itself.
    pub(super) lenient: bool,
}

impl Asked {
    /// From the flags and the files they name.
    pub(super) fn read(args: &Gate) -> Result<Asked> {
        if let Some(name) = &args.suite {
            let (file, text) = suite_named(name)?;
            return Ok(Asked::Suite(Box::new(Suite::parse(&file, &text)?)));
        }
        let Some(path) = &args.config else { return Ok(Asked::Kernels) };
        let config = Config::read(path)?;
        let suite = config.suite().with_context(|| path.display().to_string())?;
        Ok(match (&config.bench, suite) {
            (Bench::Protocol(_), Some(suite)) => Asked::Workers(Box::new(config), Box::new(suite)),
            _ => Asked::Config(Box::new(config)),
        })
    }

    /// The suite, where cells are measured.
    pub(super) fn suite(&self) -> Option<&Suite> {
        match self {
            Asked::Suite(suite) | Asked::Workers(_, suite) => Some(suite),
            Asked::Kernels | Asked::Config(_) => None,
        }
    }

    /// The configuration, where one was given.
    pub(super) fn config(&self) -> Option<&Config> {
        match self {
            Asked::Config(config) | Asked::Workers(config, _) => Some(config),
            Asked::Kernels | Asked::Suite(_) => None,
        }
    }

    /// How its sides are built and started.
    pub(super) fn build(&self, paths: &Paths) -> Build {
        let none = Vec::new;
        match self {
            Asked::Kernels => Build {
                recipe: Recipe::kernel_slices(),
                arguments: none(),
                usual: none(),
                lenient: false,
            },
            Asked::Config(config) | Asked::Workers(config, _) => Build {
                recipe: config.recipe(),
                arguments: config.arguments().to_vec(),
                usual: none(),
                lenient: false,
            },
            Asked::Suite(suite) => {
                let cache = paths.cache.to_str().map(str::to_owned);
                let cache = cache.map(|cache| ["--cache-dir".to_owned(), cache]);
                let worker = [vec!["worker".to_owned()], cache.into_iter().flatten().collect()];
                Build {
                    recipe: yardstick_recipe(&suite.devices),
                    arguments: worker.concat(),
                    usual: worker.concat(),
                    lenient: true,
                }
            }
        }
    }
}
