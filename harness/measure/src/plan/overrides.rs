//! Overrides: what command-line flags put in place of a suite's values.

use yardstick_api::{KvType, Numerics, WeightScheme};
use yardstick_record::Test;

use super::Error;
use crate::quality::Asked;
use crate::suite::{Suite, ValueError};
use crate::workload;

/// Values that replace the suite's; `None` keeps it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Models: paths, `preset:format[,format]`, or presets.
    pub models: Option<Vec<String>>,
    /// Formats for presets without one.
    pub quantisations: Option<Vec<String>>,
    /// Device selectors.
    pub devices: Option<Vec<String>>,
    /// Tests.
    pub tests: Option<Vec<Test>>,
    /// Worker threads.
    pub threads: Option<Vec<Option<usize>>>,
    /// Positions each sequence can hold.
    pub context: Option<Vec<Option<usize>>>,
    /// Sequences at once.
    pub sequences: Option<Vec<usize>>,
    /// Tokens computed together in prefill.
    pub chunk: Option<Vec<usize>>,
    /// KV storage.
    pub kv: Option<Vec<KvType>>,
    /// Numerics classes.
    pub numerics: Option<Vec<Option<Numerics>>>,
    /// Weights rounded anew.
    pub weights: Option<Vec<Option<WeightScheme>>>,
    /// Repacking.
    pub repack: Option<Vec<bool>>,
    /// Launches.
    pub launches: Option<u32>,
    /// Repetitions always made.
    pub min_repetitions: Option<u32>,
    /// Repetitions never exceeded.
    pub max_repetitions: Option<u32>,
    /// Seconds of sampling per test.
    pub max_seconds: Option<f64>,
    /// Longest warm-up, seconds.
    pub warm_up_seconds: Option<f64>,
    /// Verification.
    pub verify: Option<bool>,
    /// Devices and builds take turns.
    pub paired: Option<bool>,
    /// What tests of quality are asked on; a `None` within keeps the suite's.
    pub quality: Asked,
    /// What tests of workloads are asked on; a `None` within keeps the suite's.
    pub workload: workload::Asked,
    /// Every device twice, as `a` and `b`: the machine's own noise.
    pub twins: bool,
}

fn set<T: Clone>(to: &mut T, from: &Option<T>) {
    if let Some(value) = from {
        to.clone_from(value);
    }
}

impl Overrides {
    /// The suite with these values in place.
    pub fn apply(&self, suite: &Suite) -> Result<Suite, Error> {
        let mut suite = suite.clone();
        set(&mut suite.models, &self.models);
        set(&mut suite.quantisations, &self.quantisations);
        set(&mut suite.devices, &self.devices);
        set(&mut suite.tests, &self.tests);
        set(&mut suite.options.threads, &self.threads);
        set(&mut suite.options.context, &self.context);
        set(&mut suite.options.sequences, &self.sequences);
        set(&mut suite.options.chunk, &self.chunk);
        set(&mut suite.options.kv, &self.kv);
        set(&mut suite.options.numerics, &self.numerics);
        set(&mut suite.options.weights, &self.weights);
        set(&mut suite.options.repack, &self.repack);
        set(&mut suite.launches, &self.launches);
        set(&mut suite.verify, &self.verify);
        set(&mut suite.paired, &self.paired);
        self.apply_quality(&mut suite.quality);
        suite.workload = self.workload.clone().over(std::mem::take(&mut suite.workload));
        self.apply_sampling(&mut suite)?;
        check(suite.launches, 1, 1000, "launches")?;
        Ok(suite)
    }

    fn apply_quality(&self, asked: &mut Asked) {
        let over = self.quality.clone();
        asked.text = over.text.or(asked.text.take());
        asked.choice = over.choice.or(asked.choice.take());
        asked.generation = over.generation.or(asked.generation.take());
        asked.prompts = over.prompts.or(asked.prompts.take());
        asked.reference = over.reference.or(asked.reference.take());
        asked.windows = over.windows.or(asked.windows);
        asked.most_tokens = over.most_tokens.or(asked.most_tokens);
        asked.insist |= over.insist;
    }

    fn apply_sampling(&self, suite: &mut Suite) -> Result<(), Error> {
        let sampling = &mut suite.sampling;
        set(&mut sampling.min_repetitions, &self.min_repetitions);
        set(&mut sampling.max_repetitions, &self.max_repetitions);
        // One flag moves the other bound along: `--min-repetitions 200` means at least 200.
        if self.max_repetitions.is_none() {
            sampling.max_repetitions = sampling.max_repetitions.max(sampling.min_repetitions);
        }
        if self.min_repetitions.is_none() {
            sampling.min_repetitions = sampling.min_repetitions.min(sampling.max_repetitions);
        }
        check(sampling.min_repetitions, 1, sampling.max_repetitions, "min repetitions")?;
        check(sampling.max_repetitions, 1, 100_000, "max repetitions")?;
        set(&mut sampling.max_seconds, &self.max_seconds);
        set(&mut sampling.warm_up_seconds, &self.warm_up_seconds);
        check_seconds(sampling.max_seconds, "seconds per test")?;
        check_seconds(sampling.warm_up_seconds, "warm-up seconds")
    }
}

fn check(value: u32, least: u32, most: u32, key: &'static str) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let expected = format!("a whole number from {least} to {most}");
    Err(Error::Value { key, error: ValueError::new(&value.to_string(), expected) })
}

fn check_seconds(value: f64, key: &'static str) -> Result<(), Error> {
    if (0.0..=86_400.0).contains(&value) {
        return Ok(());
    }
    let error = ValueError::new(&value.to_string(), "a number of seconds from 0 to 86400");
    Err(Error::Value { key, error })
}
