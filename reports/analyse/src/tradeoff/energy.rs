//! Energy per token, from what meters read over a test.

use yardstick_api::{DeviceKind, Known};
use yardstick_record::{Reading, Record};

use crate::{Estimate, estimate};

/// Joules per token of a cell's records, a launch each: of the graphics processor where that computed, else of the processor's
/// package. Energies of other scopes hold more than that, and are not taken for it.
pub(super) fn joules_per_token(records: &[&Record]) -> Known<Estimate> {
    let mut reason = "no meter read the energy".to_owned();
    let mut launches = Vec::new();
    for record in records {
        match of_launch(record) {
            Known::Value(joules) => launches.push(vec![joules]),
            Known::Unavailable { unavailable } => reason = unavailable,
        }
    }
    match estimate(&launches) {
        Some(estimate) => Known::Value(estimate),
        None => Known::unavailable(reason),
    }
}

fn of_launch(record: &Record) -> Known<f64> {
    let scope = match record.device.value().map(|device| device.kind) {
        Some(DeviceKind::Gpu) => "gpu",
        _ => "package",
    };
    let meters: Vec<&Reading> = record
        .readings
        .iter()
        .filter(|reading| reading.unit == "J" && reading.scope == scope)
        .collect();
    let missing = meters.iter().find_map(|reading| reading.value.reason());
    let tokens: u64 = record.samples.iter().map(|sample| sample.tokens).sum();
    match (meters.is_empty(), missing) {
        (true, _) => Known::unavailable(format!("no meter read the energy of the {scope}")),
        (_, Some(reason)) => Known::unavailable(reason),
        (false, None) if tokens == 0 => Known::unavailable("no samples"),
        (false, None) => {
            // One meter a package, or a processor: each holds what the others do not.
            let joules: f64 = meters.iter().filter_map(|reading| reading.value.value()).sum();
            Known::Value(joules / tokens as f64)
        }
    }
}
