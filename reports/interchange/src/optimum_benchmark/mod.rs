//! optimum-benchmark: `benchmark.json`, or `benchmark_report.json` with `benchmark_config.json` where there is one.
//!
//! Its throughputs are not what they seem: those of prefill are samples/s. Tokens/s are computed here from its latencies and the
//! shapes of its configuration; without a configuration a target keeps its own name and only its times count.

mod setting;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use yardstick_api::Options;
use yardstick_record::{Direction, Metric, ModelRef, Reading, Record, Sample, Test};

use crate::Error;
use crate::draft::{Draft, file_name, model, reading, sample};
use crate::numbering::Numbering;

use setting::Setting;

const NAME: &str = "optimum-benchmark";
/// Seconds in a latency that are still believed: 30 years.
const MOST_SECONDS: f64 = 1e9;

/// The records of one report, one a target.
pub fn read(report: &str, config: Option<&str>) -> Result<Vec<Record>, Error> {
    let mut whole = object(report, "report")?;
    let mut config = match config {
        Some(config) => Some(Value::Object(object(config, "config")?)),
        None => None,
    };
    if let (Some(Value::Object(_)), Some(Value::Object(_))) =
        (whole.get("report"), whole.get("config"))
    {
        config = whole.remove("config");
        whole = match whole.remove("report") {
            Some(Value::Object(report)) => report,
            _ => Map::new(),
        };
    }
    let setting = Setting::of(config.as_ref())?;
    let mut numbering = Numbering::default();
    let mut records = Vec::new();
    for (target, measured) in &whole {
        let Some(draft) = draft(target, measured, &setting, config.as_ref())? else { continue };
        records.extend(numbering.number(draft.record()));
    }
    match records.is_empty() {
        true => Err(Error::shape(
            "report",
            "found no target with a measurement, expected prefill, decode, generate, ...",
        )),
        false => Ok(records),
    }
}

fn object(text: &str, place: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::shape(place, "not a JSON object")),
        Err(error) => Err(Error::shape(place, format!("not JSON: {error}"))),
    }
}

fn draft(
    target: &str,
    measured: &Value,
    setting: &Setting,
    config: Option<&Value>,
) -> Result<Option<Draft>, Error> {
    let parts = match measured {
        Value::Null => return Ok(None),
        Value::Object(parts) => parts,
        other => return Err(Error::field("report", target, other, "an object")),
    };
    let (test, sequences, tokens) = setting.test(target);
    let latency = part(target, parts, "latency")?;
    let samples = latency.map_or(Ok(Vec::new()), |latency| samples(target, latency, tokens))?;
    let mut readings = meters(target, parts)?;
    if let (Some(latency), true) = (latency, samples.is_empty()) {
        readings.extend(summary(target, latency, tokens, test)?);
    }
    if samples.is_empty() && readings.is_empty() {
        return Ok(None);
    }
    let mut fields = BTreeMap::from([("report".to_owned(), json!({ target: measured }))]);
    fields.extend(config.map(|config| ("config".to_owned(), config.clone())));
    let place =
        [&setting.backend, &setting.device].map(|part| part.as_deref().unwrap_or("unknown"));
    Ok(Some(Draft {
        format: NAME,
        version: setting.version.clone(),
        commit: setting.commit.clone(),
        device: format!("{NAME}:{}", place.join("/")),
        model: model_ref(setting),
        options: Options { sequences, ..Options::default() },
        test,
        started: String::new(),
        environment: setting.environment.clone(),
        samples,
        readings,
        fields,
        settings: setting.settings.clone(),
    }))
}

fn model_ref(setting: &Setting) -> ModelRef {
    model(setting.model.as_deref().map_or("unknown", file_name), NAME)
}

/// One part of a target's measurements: an object, or nothing.
fn part<'a>(
    target: &str,
    parts: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, Error> {
    match parts.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(part)) => Ok(Some(part)),
        Some(other) => {
            Err(Error::field("report", format!("{target}.{name}"), other, "an object or null"))
        }
    }
}

fn unit(path: &str, part: &Map<String, Value>, expected: &str) -> Result<(), Error> {
    match part.get("unit") {
        None => Ok(()),
        Some(Value::String(unit)) if unit == expected => Ok(()),
        Some(other) => Err(Error::field("report", format!("{path}.unit"), other, expected)),
    }
}

fn samples(target: &str, latency: &Map<String, Value>, tokens: u64) -> Result<Vec<Sample>, Error> {
    unit(&format!("{target}.latency"), latency, "s")?;
    let values = match latency.get("values") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(values)) => values,
        Some(other) => {
            return Err(Error::field(
                "report",
                format!("{target}.latency.values"),
                other,
                "an array",
            ));
        }
    };
    let one = |(i, value): (usize, &Value)| {
        let ns =
            value.as_f64().filter(|s| *s > 0.0 && *s <= MOST_SECONDS).map(|s| (s * 1e9).round());
        match ns.filter(|ns| *ns >= 1.0) {
            Some(ns) => Ok(sample(ns as u64, tokens)),
            None => {
                let field = format!("{target}.latency.values[{i}]");
                Err(Error::field("report", field, value, "seconds, more than 0 and less than 1e9"))
            }
        }
    };
    values.iter().enumerate().map(one).collect()
}

/// Mean and deviation where there are no values, as time and, where the tokens are known, as speed of the mean.
fn summary(
    target: &str,
    latency: &Map<String, Value>,
    tokens: u64,
    test: Test,
) -> Result<Vec<Reading>, Error> {
    let source = |field: &str| format!("optimum-benchmark's {target}.latency.{field}, as imported");
    let mut readings = Vec::new();
    let path = format!("{target}.latency");
    if let Some(mean) = number(&path, latency, "mean")?.filter(|mean| *mean > 0.0) {
        let better = Some(Direction::Lower);
        readings.push(reading("avg_ns", mean * 1e9, "ns", better, source("mean")));
        if test.tokens().is_some() {
            let speed = tokens as f64 / mean;
            let unit = Metric::TokensPerSecond.unit();
            let source = format!("tokens of one call ÷ {}", source("mean"));
            readings.push(reading("avg_ts", speed, unit, Some(Direction::Higher), source));
        }
        if let Some(deviation) = number(&path, latency, "stdev")? {
            readings.push(reading("stddev_ns", deviation * 1e9, "ns", None, source("stdev")));
        }
    }
    Ok(readings)
}

/// Memory and energy. Its MB are 10^6 bytes.
fn meters(target: &str, parts: &Map<String, Value>) -> Result<Vec<Reading>, Error> {
    const MEMORY: [(&str, &str); 5] = [
        ("max_ram", "peak_rss_bytes"),
        ("max_global_vram", "max_global_vram_bytes"),
        ("max_process_vram", "max_process_vram_bytes"),
        ("max_reserved", "max_reserved_bytes"),
        ("max_allocated", "max_allocated_bytes"),
    ];
    let mut readings = Vec::new();
    let mut add = |part_name: &str, field: &str, name: String, unit_of: [&str; 2], scale: f64| {
        let path = format!("{target}.{part_name}");
        let Some(part) = part(target, parts, part_name)? else { return Ok(()) };
        unit(&path, part, unit_of[0])?;
        if let Some(value) = number(&path, part, field)? {
            let source = format!("optimum-benchmark's {path}.{field} in {}", unit_of[0]);
            readings.push(reading(
                &name,
                value * scale,
                unit_of[1],
                Some(Direction::Lower),
                source,
            ));
        }
        Ok::<(), Error>(())
    };
    for (field, name) in MEMORY {
        add("memory", field, name.to_owned(), ["MB", "bytes"], 1e6)?;
    }
    for field in ["cpu", "gpu", "ram", "total"] {
        add("energy", field, format!("energy_{field}_joules"), ["kWh", "J"], 3.6e6)?;
    }
    Ok(readings)
}

fn number(path: &str, part: &Map<String, Value>, name: &str) -> Result<Option<f64>, Error> {
    match part.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().filter(|v| (0.0..1e15).contains(v)) {
            Some(number) => Ok(Some(number)),
            None => {
                let expected = "a number, 0 or more and less than 1e15";
                Err(Error::field("report", format!("{path}.{name}"), value, expected))
            }
        },
    }
}
