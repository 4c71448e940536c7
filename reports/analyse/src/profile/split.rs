//! Where the time of a token goes: parts that sum to the headline.

use serde::Serialize;
use yardstick_api::Known;

use super::limb::{Limb, limbs};
use super::measured::Roofs;
use super::pass::Pass;

/// A part of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Counted bytes at the read roof.
    Streaming,
    /// Counted operations at the arithmetic roof, beyond streaming.
    Compute,
    /// Counted meetings of threads at the latency of one, and what passes between operations.
    Synchronisation,
    /// What operations took beyond their roofs, and operations that nobody counts.
    Other,
    /// What the profile itself costs: headline less profiled time. Usually negative.
    Measuring,
}

/// A part with its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Which.
    pub part: Part,
    /// Nanoseconds a pass, or why it cannot be told apart.
    pub ns: Known<f64>,
    /// What it stands on.
    pub backing: String,
}

/// The split of a pass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Split {
    /// The parts; those that are known sum to `total_ns`.
    pub shares: Vec<Share>,
    /// The headline, nanoseconds a pass.
    pub total_ns: f64,
}

/// Splits a pass.
pub fn split(pass: &Pass, roofs: &Roofs) -> Split {
    let limbs = limbs(pass, roofs);
    let sum = |of: fn(&Limb) -> f64| limbs.iter().map(of).sum::<f64>();
    let gaps = pass.wall_ns - pass.operations_ns();
    let (streaming, compute, meetings) =
        (sum(|limb| limb.streaming), sum(|limb| limb.beyond), sum(|limb| limb.meetings));
    let uncounted: Vec<&str> =
        limbs.iter().filter(|limb| !limb.counted).map(|limb| limb.name.as_str()).collect();
    let other = pass.operations_ns() - streaming - compute - meetings;
    let known = |value: f64, roof: Option<&str>, what: &str| match roof {
        None => (Known::Value(value), what.to_owned()),
        Some(reason) => (Known::unavailable(reason), format!("in other: {reason}")),
    };
    let arithmetic = roofs.products.reason();
    let (streaming, read_backing) = known(streaming, roofs.read.reason(), "bytes ÷ read rate");
    let (compute, compute_backing) =
        known(compute, arithmetic.or(roofs.read.reason()), "arithmetic ÷ peak, beyond streaming");
    let synchronisation = match roofs.barrier_ns.reason() {
        None => {
            format!("{:.1} µs of meetings, {:.1} µs between operations", meetings / 1e3, gaps / 1e3)
        }
        Some(reason) => {
            format!("between operations; meetings are in other: {reason}")
        }
    };
    let other_backing = match uncounted.is_empty() {
        true => "what operations took beyond their roofs".to_owned(),
        false => format!("beyond their roofs, and those nobody counts: {}", uncounted.join(", ")),
    };
    let share = |part, ns, backing| Share { part, ns, backing };
    Split {
        shares: vec![
            share(Part::Streaming, streaming, read_backing),
            share(Part::Compute, compute, compute_backing),
            share(Part::Synchronisation, Known::Value(meetings + gaps), synchronisation),
            share(Part::Other, Known::Value(other), other_backing),
            share(
                Part::Measuring,
                Known::Value(pass.headline_ns - pass.wall_ns),
                "with and without it".to_owned(),
            ),
        ],
        total_ns: pass.headline_ns,
    }
}
