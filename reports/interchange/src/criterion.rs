//! criterion: the files of one benchmark's folder `new` (`benchmark.json`, `sample.json`, `estimates.json`).
//!
//! criterion writes times without their unit: nanoseconds of wall time, unless a benchmark measures something else.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use yardstick_api::Options;
use yardstick_record::{
    Direction, Environment, ForeignTest, ModelRef, Reading, Record, Sample, Test,
};

use crate::Error;
use crate::draft::{Draft, model, reading, sample};
use crate::numbering::Numbering;

const NAME: &str = "criterion";
/// Nanoseconds in a time that are still believed: 30 years.
const MOST_NS: f64 = 1e18;
/// Iterations of one sample.
const MOST_ITERATIONS: f64 = 9e15;

/// The texts of one benchmark's files.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The folder, relative to criterion's: names the benchmark where `benchmark.json` does not.
    pub folder: String,
    /// `benchmark.json`.
    pub benchmark: Option<String>,
    /// `sample.json`.
    pub sample: Option<String>,
    /// `estimates.json`.
    pub estimates: Option<String>,
}

/// The records of several benchmarks, one each, of one run.
pub fn read(benchmarks: &[Files]) -> Result<Vec<Record>, Error> {
    let mut numbering = Numbering::default();
    let mut records = Vec::new();
    for files in benchmarks {
        records.extend(numbering.number(draft(files)?.record()));
    }
    Ok(records)
}

fn draft(files: &Files) -> Result<Draft, Error> {
    let place = |name: &str| format!("{}/{name}", files.folder);
    let parse = |name: &str, text: &Option<String>| match text {
        Some(text) => object(&place(name), text).map(Some),
        None => Ok(None),
    };
    let benchmark = parse("benchmark.json", &files.benchmark)?;
    let sampled = parse("sample.json", &files.sample)?;
    let estimates = parse("estimates.json", &files.estimates)?;
    let full_id = benchmark.as_ref().and_then(|fields| fields.get("full_id"));
    let name = match full_id {
        None | Some(Value::Null) => files.folder.clone(),
        Some(Value::String(id)) => id.clone(),
        Some(other) => return Err(Error::field(place("benchmark.json"), "full_id", other, "text")),
    };
    let test = ForeignTest::new(NAME, &name).ok_or_else(|| {
        Error::field(place("benchmark.json"), "full_id", format!("{name:?}"), "a name")
    })?;
    let samples = match &sampled {
        Some(fields) => samples(&place("sample.json"), fields)?,
        None => Vec::new(),
    };
    let mut readings = match &estimates {
        Some(fields) if samples.is_empty() => summary(&place("estimates.json"), fields)?,
        _ => Vec::new(),
    };
    if samples.is_empty() && readings.is_empty() {
        let flaw = "found no samples and no mean, expected sample.json or estimates.json";
        return Err(Error::shape(&files.folder, flaw));
    }
    if let Some(fields) = &benchmark {
        readings.extend(throughput(&place("benchmark.json"), fields)?);
    }
    let parts = [("benchmark", benchmark), ("sample", sampled), ("estimates", estimates)];
    let fields: BTreeMap<String, Value> = parts
        .into_iter()
        .filter_map(|(name, fields)| Some((name.to_owned(), Value::Object(fields?))))
        .collect();
    Ok(Draft {
        format: NAME,
        version: None,
        commit: None,
        device: format!("{NAME}:unknown"),
        model: ModelRef { name: "no model".to_owned(), ..model("", NAME) },
        options: Options::default(),
        test: Test::Foreign(test),
        started: String::new(),
        environment: environment(),
        samples,
        readings,
        fields,
        settings: BTreeMap::new(),
    })
}

fn object(place: &str, text: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::shape(place, "not a JSON object")),
        Err(error) => Err(Error::shape(place, format!("not JSON: {error}"))),
    }
}

/// A sample of criterion is the time of many iterations, which it is kept as.
fn samples(place: &str, fields: &Map<String, Value>) -> Result<Vec<Sample>, Error> {
    let array = |name: &str| match fields.get(name) {
        Some(Value::Array(items)) => Ok(items),
        other => {
            let found = other.map_or("nothing".to_owned(), Value::to_string);
            Err(Error::field(place, name, found, "an array of numbers"))
        }
    };
    let (iterations, times) = (array("iters")?, array("times")?);
    if iterations.len() != times.len() {
        let found = format!("{} times", times.len());
        return Err(Error::field(
            place,
            "times",
            found,
            format!("{} as in iters", iterations.len()),
        ));
    }
    let within = |name: &str, i: usize, value: &Value, most: f64| {
        let number = value.as_f64().map(f64::round).filter(|n| (1.0..=most).contains(n));
        let expected = format!("a number from 1 to {most:e}");
        number.ok_or_else(|| Error::field(place, format!("{name}[{i}]"), value, expected))
    };
    iterations
        .iter()
        .zip(times)
        .enumerate()
        .map(|(i, (iterations, time))| {
            let iterations = within("iters", i, iterations, MOST_ITERATIONS)?;
            let time = within("times", i, time, MOST_NS)?;
            Ok(sample(time as u64, iterations as u64))
        })
        .collect()
}

/// Mean and deviation where there are no samples.
fn summary(place: &str, fields: &Map<String, Value>) -> Result<Vec<Reading>, Error> {
    let point = |name: &str| match fields.get(name).and_then(|one| one.get("point_estimate")) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().filter(|ns| (0.0..=MOST_NS).contains(ns)) {
            Some(ns) => Ok(Some(ns)),
            None => {
                let expected = "nanoseconds, 0 or more";
                Err(Error::field(place, format!("{name}.point_estimate"), value, expected))
            }
        },
    };
    let source = |name: &str| format!("criterion's {name}.point_estimate, as imported");
    let mut readings = Vec::new();
    if let Some(mean) = point("mean")? {
        readings.push(reading("avg_ns", mean, "ns", Some(Direction::Lower), source("mean")));
        if let Some(deviation) = point("std_dev")? {
            readings.push(reading("stddev_ns", deviation, "ns", None, source("std_dev")));
        }
    }
    Ok(readings)
}

/// What an iteration works through, where the benchmark declares it: `{"Bytes": 4096}`, or a list of such. Units that are not
/// known here stay in the origin.
fn throughput(place: &str, fields: &Map<String, Value>) -> Result<Vec<Reading>, Error> {
    const UNITS: [(&str, &str); 6] = [
        ("Bytes", "bytes"),
        ("BytesDecimal", "bytes"),
        ("bytes", "bytes"),
        ("Bits", "bits"),
        ("Elements", "elements"),
        ("elements", "elements"),
    ];
    let wrong = |value: &Value| {
        let expected = "a unit and a whole number, like {\"Bytes\": 4096}";
        Error::field(place, "throughput", value, expected)
    };
    let declared = match fields.get("throughput") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
    };
    let mut readings = Vec::new();
    for one in declared {
        let object = one.as_object().ok_or_else(|| wrong(one))?;
        // Both at once are an object of their own.
        let object = object.get("ElementsAndBytes").and_then(Value::as_object).unwrap_or(object);
        for (name, amount) in object {
            let Some((_, unit)) = UNITS.iter().find(|(theirs, _)| theirs == name) else { continue };
            let amount = amount.as_u64().ok_or_else(|| wrong(one))?;
            let name = format!("{unit}_per_iteration");
            readings.push(reading(&name, amount as f64, unit, None, "criterion's throughput"));
        }
    }
    Ok(readings)
}

fn environment() -> Environment {
    let mut environment = Environment::default();
    for name in ["cpu.model", "memory.total_bytes", "os.name"] {
        environment.missing(name, "imported: criterion does not tell");
    }
    environment
}
