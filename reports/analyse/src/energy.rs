//! Energy of a test: which meter speaks for its device, what was drawn, and joules a token.
//!
//! Meters of different scopes hold each other and are never added or mixed: of those that hold the device, the widest one
//! that has a value speaks. What the machine draws when it is idle is told beside it and never taken off.

use yardstick_api::{DeviceKind, Known};
use yardstick_record::{Metric, Precision, Reading, Record};

/// Scopes that hold a device, the widest first.
const OF_PROCESSORS: &[&str] = &["wall", "machine", "psys", "soc", "package"];
const OF_BOARDS: &[&str] = &["wall", "machine", "psys", "soc", "board", "gpu"];
/// Samples that fill less of the metered time leave it open whose energy it was.
const LEAST_SHARE: f64 = 0.9;
/// Idle power before and after that differs by more is no baseline.
const MOST_DRIFT: f64 = 0.05;
/// Joules of a kWh.
const KWH: f64 = 3.6e6;

/// The meter of a row, and how well it observed; the worst of its launches.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    /// Its readings' name without the unit: `rapl_package_0`, `meter_plug_mean`.
    pub name: String,
    /// What it covers: `wall`, `package`, `board`.
    pub scope: String,
    /// Where it comes from.
    pub source: String,
    /// Mean power, watts.
    watts: f64,
    /// Of the mean power.
    pub precision: Option<Precision>,
}

impl Meter {
    /// Half of the 95 % interval, percent of what was drawn.
    pub fn uncertainty_percent(&self) -> Option<f64> {
        self.precision.map(|precision| 100.0 * precision.uncertainty / self.watts)
    }
}

/// The meter that speaks for all of a cell's launches.
pub(crate) fn meter(records: &[&Record]) -> Known<Meter> {
    let mut worst: Option<Meter> = None;
    for record in records {
        let meter = match speaks(record) {
            Ok(meter) => meter,
            Err(reason) => return Known::unavailable(reason),
        };
        match &worst {
            Some(other) if (&other.name, &other.scope) != (&meter.name, &meter.scope) => {
                let reason = format!("launches were metered by {} and {}", other.name, meter.name);
                return Known::unavailable(reason);
            }
            Some(other) if other.uncertainty_percent() >= meter.uncertainty_percent() => {}
            _ => worst = Some(meter),
        }
    }
    worst.map_or_else(|| Known::unavailable("no samples"), Known::Value)
}

/// The values of one launch.
pub(crate) fn values(metric: Metric, record: &Record) -> Known<Vec<f64>> {
    let value = match metric {
        Metric::JoulesPerToken => per_token(record),
        Metric::TokensPerKwh => per_token(record).map(|joules| KWH / joules),
        Metric::MeanWatts => speaks(record).map(|meter| meter.watts),
        Metric::PeakWatts => peak(record),
        Metric::IdleWatts => idle(record),
        _ => Err(format!("{} is no energy", metric.name())),
    };
    value.map_or_else(Known::unavailable, |value| Known::Value(vec![value]))
}

/// Grams of CO2 a million tokens, where a kWh causes `grid` grams.
pub(crate) fn grams(joules_per_token: f64, grid: f64) -> f64 {
    joules_per_token * 1e6 / KWH * grid
}

fn speaks(record: &Record) -> Result<Meter, String> {
    let board = record.device.value().is_some_and(|device| device.kind == DeviceKind::Gpu);
    let scopes = if board { OF_BOARDS } else { OF_PROCESSORS };
    for scope in scopes {
        let of_scope = power(record).filter(|reading| reading.scope == *scope);
        let mut known: Vec<&Reading> =
            of_scope.filter(|reading| reading.value.value().is_some()).collect();
        // A board's counter and its power at moments are the same board's: the counter is to be believed.
        if known.iter().any(|reading| !at_moments(reading)) {
            known.retain(|reading| !at_moments(reading));
        }
        match known.as_slice() {
            [] => {}
            [_] => return Ok(told(&known)),
            _ if *scope == "package" => return Ok(told(&known)),
            several => {
                let names: Vec<&str> = several.iter().map(|reading| &*reading.name).collect();
                return Err(format!(
                    "several meters of scope {scope}, and which one holds the device is not known: {}",
                    names.join(", ")
                ));
            }
        }
    }
    Err(missing(record, scopes))
}

fn at_moments(reading: &Reading) -> bool {
    reading.name.contains("_power_")
}

/// Readings of mean power over the samples.
fn power(record: &Record) -> impl Iterator<Item = &Reading> {
    let is_mean = |reading: &&Reading| {
        let other = ["_max_watts", "_limit_watts"].iter().any(|end| reading.name.ends_with(end));
        // Other chips' rails call themselves packages too.
        let part = reading.scope == "package" && !reading.name.starts_with("rapl_package_");
        reading.unit == "W" && !reading.name.starts_with("idle_") && !other && !part
    };
    record.readings.iter().filter(is_mean)
}

/// Packages of several sockets are apart from each other and add up.
fn told(readings: &[&Reading]) -> Meter {
    let watts = readings.iter().filter_map(|reading| reading.value.value()).sum();
    let add = |sum: Precision, one: Precision| Precision {
        uncertainty: sum.uncertainty + one.uncertainty,
        rate_hz: sum.rate_hz.min(one.rate_hz),
        coverage: sum.coverage.min(one.coverage),
    };
    let precisions: Option<Vec<Precision>> = readings.iter().map(|r| r.precision).collect();
    let names: Vec<&str> =
        readings.iter().map(|reading| reading.name.trim_end_matches("_watts")).collect();
    Meter {
        name: names.join(" + "),
        scope: readings[0].scope.clone(),
        source: readings[0].source.clone(),
        watts,
        precision: precisions.and_then(|all| all.into_iter().reduce(add)),
    }
}

/// Why no meter speaks: the reason of the first that could have.
fn missing(record: &Record, scopes: &[&str]) -> String {
    let energy = |reading: &&Reading| matches!(reading.unit.as_str(), "J" | "W");
    let of = |scope: &&str| {
        let scope = *scope;
        record.readings.iter().filter(energy).find_map(|reading| {
            (reading.scope == scope).then(|| reading.value.reason().map(str::to_owned)).flatten()
        })
    };
    scopes.iter().find_map(of).unwrap_or_else(|| "no meter of its device was read".to_owned())
}

fn per_token(record: &Record) -> Result<f64, String> {
    let meter = speaks(record)?;
    let seconds = record.reading("window_seconds").and_then(|reading| reading.value.value());
    let seconds = *seconds.ok_or("the record does not tell how long its samples took together")?;
    let tokens: u64 = record.samples.iter().map(|sample| sample.tokens).sum();
    let busy: u64 = record.samples.iter().map(|sample| sample.nanoseconds).sum();
    let share = busy as f64 / 1e9 / seconds;
    if share < LEAST_SHARE {
        let percent = share * 100.0;
        return Err(format!("the samples are only {percent:.0} % of the time that was metered"));
    }
    match tokens {
        0 => Err("no tokens".to_owned()),
        tokens => Ok(meter.watts * seconds / tokens as f64),
    }
}

/// The most that the same meter read.
fn peak(record: &Record) -> Result<f64, String> {
    let meter = speaks(record)?;
    let stem = meter.name.trim_end_matches("_mean");
    match record.reading(&format!("{stem}_max_watts")) {
        Some(reading) => known(reading),
        None => Err(format!("{stem} is a counter: it tells no peak")),
    }
}

/// What the same meter read while the loaded worker did nothing, before and after.
fn idle(record: &Record) -> Result<f64, String> {
    let meter = speaks(record)?;
    let at = |when: &str| {
        let parts = meter.name.split(" + ").map(|name| {
            let reading = record.reading(&format!("idle_{when}_{name}_watts"));
            known(reading.ok_or("idle power is measured by --energy")?)
        });
        parts.sum::<Result<f64, String>>()
    };
    let (before, after) = (at("before")?, at("after")?);
    let mean = (before + after) / 2.0;
    if (before - after).abs() > MOST_DRIFT * mean {
        return Err(format!("not steady: {before:.2} W before the test, {after:.2} W after it"));
    }
    Ok(mean)
}

fn known(reading: &Reading) -> Result<f64, String> {
    let reason = || reading.value.reason().unwrap_or_default().to_owned();
    reading.value.value().copied().ok_or_else(reason)
}
