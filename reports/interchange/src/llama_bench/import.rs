//! One result of llama-bench as a draft of a record.

use std::collections::BTreeMap;

use serde_json::Value;
use yardstick_api::{Known, Options};
use yardstick_record::{
    Direction, Environment, ForeignTest, ModelRef, Reading, Record, Sample, Test,
};

use crate::Error;
use crate::draft::{Draft, file_name, model, reading, sample};
use crate::field::{Reader, plain};
use crate::values::Place;

use super::NAME;
use super::columns::{SETTINGS, known};

/// More tokens than any context in use.
const MOST_TOKENS: u64 = 1 << 24;
/// Threads there can be.
const MOST_THREADS: u64 = 65_536;

/// The draft of one result. `text_only` where it comes from CSV.
pub(super) fn draft(
    fields: BTreeMap<String, Value>,
    place: Place,
    text_only: bool,
) -> Result<Draft, Error> {
    let read = Reader { fields: &fields, place: &place, text_only };
    let (test, tokens) = test(read)?;
    let started = started(read)?;
    let options = Options {
        threads: size(read, "n_threads", MOST_THREADS)?,
        chunk: size(read, "n_ubatch", MOST_TOKENS)?.unwrap_or(Options::default().chunk),
        ..Options::default()
    };
    let samples = samples(read, tokens)?;
    let readings = if samples.is_empty() { summary(read)? } else { Vec::new() };
    if samples.is_empty() && readings.is_empty() {
        return Err(read.wrong("avg_ns", "a result: samples_ns, avg_ns or avg_ts"));
    }
    let draft = Draft {
        format: NAME,
        version: read.whole("build_number", u64::MAX)?.map(|number| number.to_string()),
        commit: read.text("build_commit")?.filter(|c| *c != "unknown").map(str::to_owned),
        device: device(read)?,
        model: model_ref(read)?,
        options,
        test,
        started,
        environment: environment(read)?,
        samples,
        readings,
        settings: settings(read),
        fields: BTreeMap::new(),
    };
    Ok(Draft { fields, ..draft })
}

/// The test, and the tokens of one of its samples. A `pg` test blends prefill and decode into one number that is neither's:
/// it keeps llama-bench's name, and only its time counts.
fn test(read: Reader<'_>) -> Result<(Test, u64), Error> {
    let count = |name| Ok::<u64, Error>(read.whole(name, MOST_TOKENS)?.unwrap_or(0));
    for name in ["n_prompt", "n_gen"] {
        if !read.fields.contains_key(name) {
            return Err(read.wrong(name, "a whole number"));
        }
    }
    let (prompt, generated, depth) = (count("n_prompt")?, count("n_gen")?, count("n_depth")?);
    let at = if depth > 0 { format!("@d{depth}") } else { String::new() };
    let (tokens, depth) = ((prompt + generated) as usize, depth as usize);
    match (prompt, generated) {
        (0, 0) => Err(read.wrong("n_gen", "more than 0, since n_prompt is 0")),
        (_, 0) => Ok((Test::Prefill { tokens, depth }, prompt)),
        (0, _) => Ok((Test::Generate { tokens, depth }, generated)),
        _ => {
            let name = ForeignTest::new(NAME, &format!("pp{prompt}+tg{generated}{at}"));
            Ok((Test::Foreign(name.expect("a short word of digits")), 1))
        }
    }
}

fn started(read: Reader<'_>) -> Result<String, Error> {
    match read.text("test_time")? {
        None => Ok(String::new()),
        Some(time) if time.parse::<jiff::Timestamp>().is_ok() => Ok(time.to_owned()),
        Some(_) => Err(read.wrong("test_time", "a time like 2025-11-20T12:00:00Z")),
    }
}

/// A count that is not 0, which llama-bench writes where it has none.
fn size(read: Reader<'_>, name: &str, most: u64) -> Result<Option<usize>, Error> {
    Ok(read.whole(name, most)?.filter(|&n| n > 0).map(|n| n as usize))
}

/// Raw samples, where there are any.
fn samples(read: Reader<'_>, tokens: u64) -> Result<Vec<Sample>, Error> {
    let Some(items) = read.array("samples_ns")? else { return Ok(Vec::new()) };
    let one = |(i, item): (usize, &Value)| match item.as_u64() {
        Some(ns) if ns > 0 => Ok(sample(ns, tokens)),
        _ => Err(Error::field(
            read.place,
            format!("samples_ns[{i}]"),
            item,
            "a whole number of nanoseconds, more than 0",
        )),
    };
    items.iter().enumerate().map(one).collect()
}

/// The summary in place of samples: labelled as such, since a mean is no median.
fn summary(read: Reader<'_>) -> Result<Vec<Reading>, Error> {
    const FIELDS: [(&str, &str, Option<Direction>); 4] = [
        ("avg_ns", "ns", Some(Direction::Lower)),
        ("stddev_ns", "ns", None),
        ("avg_ts", "tokens/s", Some(Direction::Higher)),
        ("stddev_ts", "tokens/s", None),
    ];
    let mut readings = Vec::new();
    for (name, unit, better) in FIELDS {
        if let Some(value) = read.number(name)? {
            let source = format!("llama-bench's {name}, as imported");
            readings.push(reading(name, value, unit, better, source));
        }
    }
    // A deviation alone is no result.
    let has_mean = readings.iter().any(|reading| reading.name.starts_with("avg"));
    Ok(if has_mean { readings } else { Vec::new() })
}

/// `llama-bench:CUDA`. These are the backends it was built with: it does not tell which one ran.
fn device(read: Reader<'_>) -> Result<String, Error> {
    Ok(format!("{NAME}:{}", read.text("backends")?.unwrap_or("unknown").trim()))
}

fn model_ref(read: Reader<'_>) -> Result<ModelRef, Error> {
    let (file, kind) = (read.text("model_filename")?, read.text("model_type")?);
    let Some(name) = file.map(file_name).or(kind) else {
        return Err(read.wrong("model_filename", "the model's file, or its model_type"));
    };
    let silent = || Known::unavailable("imported: llama-bench does not tell");
    let count = |name| -> Result<Known<u64>, Error> {
        Ok(read.whole(name, u64::MAX)?.filter(|&n| n > 0).map_or_else(silent, Known::Value))
    };
    let parameters = count("model_n_params")?;
    let tensor_bytes = count("model_size")?;
    let quantisation = Known::unavailable(match kind {
        Some(kind) => format!("imported: llama-bench gives the model type {kind:?} only"),
        None => "imported: llama-bench does not tell".to_owned(),
    });
    Ok(ModelRef { parameters, tensor_bytes, quantisation, ..model(name, NAME) })
}

fn environment(read: Reader<'_>) -> Result<Environment, Error> {
    let mut environment = Environment::default();
    for (field, name) in [("cpu_info", "cpu.model"), ("gpu_info", "gpu.model")] {
        match read.text(field)? {
            Some(text) => environment.set(name, text),
            None => environment.missing(name, format!("imported: no {field}")),
        }
    }
    environment.missing("memory.total_bytes", "imported: llama-bench does not tell");
    Ok(environment)
}

/// What our options have no word for. Unknown columns are taken for settings unless they look like results: better two rows
/// than one of different things.
fn settings(read: Reader<'_>) -> BTreeMap<String, String> {
    let value = |name: &str| read.fields.get(name).and_then(plain).filter(|text| !text.is_empty());
    let mut settings = BTreeMap::new();
    for (name, default) in SETTINGS {
        if let Some(value) = value(name).filter(|value| value != default) {
            settings.insert((*name).to_owned(), value);
        }
    }
    if let Some(chunk) = value("n_ubatch") {
        settings.insert("chunk".to_owned(), chunk);
    }
    match (value("type_k"), value("type_v")) {
        (Some(k), Some(v)) if k == v => settings.insert("kv".to_owned(), k),
        (Some(k), Some(v)) => settings.insert("kv".to_owned(), format!("{k}/{v}")),
        (Some(k), None) | (None, Some(k)) => settings.insert("kv".to_owned(), k),
        (None, None) => None,
    };
    let result = |name: &str| {
        ["avg_", "stddev_", "samples_", "min_", "max_", "median_"]
            .iter()
            .any(|p| name.starts_with(p))
    };
    for name in read.fields.keys().filter(|name| !known(name) && !result(name)) {
        if let Some(value) = value(name) {
            settings.insert(name.clone(), value);
        }
    }
    settings
}

/// Whether a record came from here.
pub(super) fn is_ours(record: &Record) -> bool {
    record.origin.as_ref().is_some_and(|origin| origin.format == NAME)
}
