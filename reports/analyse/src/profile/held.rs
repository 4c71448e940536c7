//! Operations held against the roofs: rates, arithmetic intensity, and the roof that limits each.

use serde::Serialize;
use yardstick_api::Known;

use super::measured::Roofs;
use super::pass::{Operation, Pass};

/// Which roof is lower at an operation's intensity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Reading its bytes takes longer.
    Read,
    /// Its arithmetic takes longer.
    Arithmetic,
    /// Neither takes a hundredth of its time: what it waits for is no roof.
    Latency,
}

/// Operations whose roofs allow less than this share of their time are limited by neither.
pub(super) const FAR: f64 = 0.01;

/// An operation against its roofs.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The operation.
    pub operation: Operation,
    /// Its share of the operations' time, 0 to 1.
    pub share: f64,
    /// Bytes per second.
    pub bytes_per_second: Known<f64>,
    /// Operations per second.
    pub operations_per_second: Known<f64>,
    /// Operations per byte.
    pub intensity: Known<f64>,
    /// Bytes per second ÷ the read roof.
    pub of_read: Known<f64>,
    /// Operations per second ÷ the arithmetic roof.
    pub of_arithmetic: Known<f64>,
    /// The lower roof.
    pub bound: Known<Bound>,
    /// The least time the roofs allow ÷ the time taken.
    pub of_limit: Known<f64>,
}

/// Every operation of a pass.
pub fn held(pass: &Pass, roofs: &Roofs) -> Vec<Held> {
    let all = pass.operations_ns();
    pass.operations.iter().map(|operation| one(operation, roofs, all)).collect()
}

fn one(operation: &Operation, roofs: &Roofs, all: f64) -> Held {
    let read = roofs.read.clone().map(|roof| roof.per_second);
    let arithmetic = roofs.arithmetic(&operation.name).clone().map(|roof| roof.per_second);
    let seconds = match operation.ns {
        ns if ns > 0.0 => Known::Value(ns / 1e9),
        _ => Known::unavailable("it took no time that the clock could see"),
    };
    let bytes_per_second = divided(&operation.bytes, &seconds);
    let operations_per_second = divided(&operation.operations, &seconds);
    let least = floor(operation, &read, &arithmetic);
    let near = |(bound, ns): (Bound, f64)| match ns < FAR * operation.ns {
        true => Bound::Latency,
        false => bound,
    };
    Held {
        share: if all > 0.0 { operation.ns / all } else { 0.0 },
        of_read: divided(&bytes_per_second, &read),
        of_arithmetic: divided(&operations_per_second, &arithmetic),
        intensity: divided(&operation.operations, &operation.bytes),
        bound: least.clone().map(near),
        of_limit: divided(&least.map(|(_, ns)| ns / 1e9), &seconds),
        bytes_per_second,
        operations_per_second,
        operation: operation.clone(),
    }
}

/// The least nanoseconds that both roofs allow, and which of them it is.
fn floor(operation: &Operation, read: &Known<f64>, arithmetic: &Known<f64>) -> Known<(Bound, f64)> {
    let reading = divided(&operation.bytes, read).map(|seconds| seconds * 1e9);
    let computing = divided(&operation.operations, arithmetic).map(|seconds| seconds * 1e9);
    match (reading, computing) {
        (Known::Value(reading), Known::Value(computing)) if reading >= computing => {
            Known::Value((Bound::Read, reading))
        }
        (Known::Value(_), Known::Value(computing)) => Known::Value((Bound::Arithmetic, computing)),
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            Known::Unavailable { unavailable }
        }
    }
}

/// A quotient; missing where either is, or the divisor is 0.
pub(super) fn divided(one: &Known<f64>, by: &Known<f64>) -> Known<f64> {
    match (one, by) {
        (Known::Value(_), Known::Value(0.0)) => Known::unavailable("it is divided by 0"),
        (Known::Value(one), Known::Value(by)) => Known::Value(one / by),
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            Known::unavailable(unavailable)
        }
    }
}
