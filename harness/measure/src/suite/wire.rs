//! The TOML shape of a suite, and its conversion into types that cannot be wrong.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use yardstick_record::Test;

use super::budget::{BudgetWire, budget};
use super::place::{Names, Place, list, names, number, text, whole};
use super::{
    Deadlines, Error, Except, Sampling, Scope, Suite, Sweep, ValueError, parse_automatic,
    parse_counts, parse_kv, parse_numerics, parse_tests, parse_weights,
};

use crate::quality::Asked;
use crate::workload;

/// A suite is a page of text; a larger file is not one.
pub(super) const MAX_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    name: Spanned<String>,
    analysis: Spanned<String>,
    tests: Spanned<Names>,
    models: Spanned<Names>,
    #[serde(default)]
    quantisations: Names,
    devices: Spanned<Names>,
    #[serde(default)]
    options: Options,
    launches: Option<Spanned<i64>>,
    #[serde(default)]
    paired: bool,
    #[serde(default)]
    sampling: SamplingWire,
    #[serde(default)]
    deadlines: DeadlinesWire,
    #[serde(default)]
    except: Vec<ExceptWire>,
    #[serde(default)]
    budget: Vec<BudgetWire>,
    #[serde(default)]
    quality: QualityWire,
    workload: Option<Spanned<workload::Asked>>,
    #[serde(default = "yes")]
    verify: bool,
}

fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    threads: Option<Spanned<Vec<Spanned<Count>>>>,
    context: Option<Spanned<Vec<Spanned<Count>>>>,
    sequences: Option<Spanned<Vec<Spanned<Count>>>>,
    chunk: Option<Spanned<Vec<Spanned<Count>>>>,
    kv: Option<Spanned<Names>>,
    numerics: Option<Spanned<Names>>,
    weights: Option<Spanned<Names>>,
    repack: Option<Spanned<Vec<bool>>>,
}

/// A number, or a string with a range.
pub(crate) struct Count(String);

impl Count {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Count, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Count;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number or a string such as \"auto\" or \"1-8*2\"")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Count, E> {
                Ok(Count(number.to_string()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Count, E> {
                Ok(Count(text.to_owned()))
            }
        }
        from.deserialize_any(Visitor)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SamplingWire {
    min_repetitions: Option<Spanned<i64>>,
    max_repetitions: Option<Spanned<i64>>,
    max_seconds: Option<Spanned<f64>>,
    interval: Option<Spanned<f64>>,
    warm_up_seconds: Option<Spanned<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadlinesWire {
    hello: Option<Spanned<f64>>,
    devices: Option<Spanned<f64>>,
    plan: Option<Spanned<f64>>,
    load: Option<Spanned<f64>>,
    verify: Option<Spanned<f64>>,
    prepare: Option<Spanned<f64>>,
    warm_up: Option<Spanned<f64>>,
    sample: Option<Spanned<f64>>,
    ceiling: Option<Spanned<f64>>,
    stop: Option<Spanned<f64>>,
    heartbeat: Option<Spanned<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct QualityWire {
    text: Option<Spanned<String>>,
    choice: Option<Spanned<String>>,
    generation: Option<Spanned<String>>,
    prompts: Option<Spanned<String>>,
    reference: Option<Spanned<String>>,
    windows: Option<Spanned<i64>>,
    most_tokens: Option<Spanned<i64>>,
    #[serde(default)]
    insist: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptWire {
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    devices: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    quantisations: Vec<String>,
    reason: Spanned<String>,
}

/// Parses and checks.
pub(super) fn parse(file: &str, text: &str) -> Result<Suite, Error> {
    let at = Place { file, text };
    let wire: Wire = at.read()?;
    suite(&at, wire)
}

fn suite(at: &Place<'_>, wire: Wire) -> Result<Suite, Error> {
    let sampling = sampling(at, wire.sampling)?;
    Ok(Suite {
        name: text(at, wire.name, 64, "a name")?,
        analysis: text(at, wire.analysis, 1 << 16, "prose that says what the suite answers")?,
        tests: tests(at, wire.tests)?,
        models: names(at, wire.models, "a preset or a path")?,
        quantisations: wire
            .quantisations
            .into_iter()
            .map(|name| text(at, name, 64, "a format such as Q4_0"))
            .collect::<Result<_, _>>()?,
        devices: names(at, wire.devices, "hardware, a backend such as cpu, or a device id")?,
        options: options(at, wire.options)?,
        launches: whole(at, wire.launches, 1, 1000)?.unwrap_or(1),
        paired: wire.paired,
        sampling,
        deadlines: deadlines(at, wire.deadlines)?,
        except: wire.except.into_iter().map(|e| except(at, e)).collect::<Result<_, _>>()?,
        budgets: wire.budget.into_iter().map(|b| budget(at, b)).collect::<Result<_, _>>()?,
        quality: quality(at, wire.quality)?,
        workload: workload(at, wire.workload)?,
        verify: wire.verify,
    })
}

/// The longest answer and the most windows that can be asked for.
const MOST: u32 = 1 << 20;

fn quality(at: &Place<'_>, wire: QualityWire) -> Result<Asked, Error> {
    let name = |value: Option<Spanned<String>>, expected: &str| {
        value.map(|value| text(at, value, 4096, expected)).transpose()
    };
    Ok(Asked {
        text: name(wire.text, "a file of text")?,
        choice: name(wire.choice, "a file of questions")?,
        generation: name(wire.generation, "a file of questions")?,
        prompts: name(wire.prompts, "a file of prompts")?,
        reference: name(wire.reference, "a format such as F16, or a model")?,
        windows: whole(at, wire.windows, 1, MOST)?,
        most_tokens: whole(at, wire.most_tokens, 1, MOST)?,
        insist: wire.insist,
    })
}

/// Types are checked where they stand, values at their table.
fn workload(
    at: &Place<'_>,
    wire: Option<Spanned<workload::Asked>>,
) -> Result<workload::Asked, Error> {
    let Some(wire) = wire else { return Ok(workload::Asked::default()) };
    match wire.get_ref().flaw() {
        Some((key, found, expected)) => {
            let message = format!("{key}: found {found}, expected {expected}");
            Err(at.error(wire.span(), message))
        }
        None => Ok(wire.into_inner()),
    }
}

fn tests(at: &Place<'_>, names: Spanned<Names>) -> Result<Vec<Test>, Error> {
    list(at, names, parse_tests, |name| name.as_str())
}

fn options(at: &Place<'_>, wire: Options) -> Result<Sweep, Error> {
    let mut sweep = Sweep::default();
    if let Some(threads) = wire.threads {
        sweep.threads = list(at, threads, parse_automatic, Count::text)?;
    }
    if let Some(context) = wire.context {
        sweep.context = list(at, context, parse_automatic, Count::text)?;
    }
    if let Some(sequences) = wire.sequences {
        sweep.sequences = list(at, sequences, parse_counts, Count::text)?;
    }
    if let Some(chunk) = wire.chunk {
        sweep.chunk = list(at, chunk, parse_counts, Count::text)?;
    }
    if let Some(kv) = wire.kv {
        sweep.kv = list(at, kv, parse_kv, |name| name.as_str())?;
    }
    if let Some(numerics) = wire.numerics {
        sweep.numerics = list(at, numerics, parse_numerics, |name| name.as_str())?;
    }
    if let Some(weights) = wire.weights {
        sweep.weights = list(at, weights, parse_weights, |name| name.as_str())?;
    }
    if let Some(repack) = wire.repack {
        if repack.get_ref().is_empty() {
            return at.value(repack.span(), Err(ValueError::new("[]", "true or false")));
        }
        sweep.repack = repack.into_inner();
    }
    Ok(sweep)
}

fn sampling(at: &Place<'_>, wire: SamplingWire) -> Result<Sampling, Error> {
    let default = Sampling::default();
    let end = wire.max_repetitions.as_ref().map_or(0..0, Spanned::span);
    let start = wire.min_repetitions.as_ref().map_or(end.clone(), Spanned::span);
    let sampling = Sampling {
        min_repetitions: whole(at, wire.min_repetitions, 1, 100_000)?
            .unwrap_or(default.min_repetitions),
        max_repetitions: whole(at, wire.max_repetitions, 1, 100_000)?
            .unwrap_or(default.max_repetitions),
        max_seconds: number(at, wire.max_seconds, 0.0, 86_400.0)?.unwrap_or(default.max_seconds),
        interval: number(at, wire.interval, 0.0, 1.0)?.unwrap_or(default.interval),
        warm_up_seconds: number(at, wire.warm_up_seconds, 0.0, 3600.0)?
            .unwrap_or(default.warm_up_seconds),
    };
    if sampling.min_repetitions > sampling.max_repetitions {
        let found = sampling.min_repetitions.to_string();
        let expected = format!("at most max_repetitions, {}", sampling.max_repetitions);
        return at.value(start, Err(ValueError::new(&found, expected)));
    }
    Ok(sampling)
}

fn deadlines(at: &Place<'_>, wire: DeadlinesWire) -> Result<Deadlines, Error> {
    let default = Deadlines::default();
    let seconds = |value: Option<Spanned<f64>>, default: Duration| -> Result<Duration, Error> {
        Ok(number(at, value, 0.001, 604_800.0)?.map_or(default, Duration::from_secs_f64))
    };
    Ok(Deadlines {
        hello: seconds(wire.hello, default.hello)?,
        devices: seconds(wire.devices, default.devices)?,
        plan: seconds(wire.plan, default.plan)?,
        load: seconds(wire.load, default.load)?,
        verify: seconds(wire.verify, default.verify)?,
        prepare: seconds(wire.prepare, default.prepare)?,
        warm_up: seconds(wire.warm_up, default.warm_up)?,
        sample: seconds(wire.sample, default.sample)?,
        ceiling: seconds(wire.ceiling, default.ceiling)?,
        stop: seconds(wire.stop, default.stop)?,
        heartbeat: seconds(wire.heartbeat, default.heartbeat)?,
    })
}

fn except(at: &Place<'_>, wire: ExceptWire) -> Result<Except, Error> {
    let ExceptWire { tests, devices, models, quantisations, reason } = wire;
    let scope = Scope { tests, devices, models, quantisations };
    if scope == Scope::default() {
        let expected = "at least one of tests, devices, models and quantisations beside the reason";
        return at.value(reason.span(), Err(ValueError::new("a rule for every cell", expected)));
    }
    Ok(Except { scope, reason: text(at, reason, 1024, "a reason")? })
}
