//! Starts of fresh processes in their parts.

use yardstick_api::Known;
use yardstick_record::{Record, Start, Workload};

use super::middle;

/// Starts of a row: medians.
#[derive(Clone, Debug, PartialEq)]
pub struct ColdView {
    /// Starts.
    pub n: usize,
    /// From before the process to its hello, to the resident model from there, to the first token from there: nanoseconds.
    pub parts_ns: [Known<f64>; 3],
    /// The most of the model's file that was in the page cache before one of them, percent.
    pub cached_percent: Known<f64>,
}

pub(super) fn view(records: &[&Record]) -> Option<ColdView> {
    let starts: Vec<&Start> = records
        .iter()
        .filter_map(|record| match record.workload.as_deref()? {
            Workload::Cold(cold) => Some(&cold.starts),
            _ => None,
        })
        .flatten()
        .collect();
    let part = |of: &dyn Fn(&Start) -> u64| {
        middle(&starts.iter().map(|start| of(start) as f64).collect::<Vec<_>>(), "starts")
    };
    let cached = starts.iter().map(|start| start.cached_percent.clone());
    let cached = cached.reduce(|worst, next| match (worst.value(), next.value()) {
        (Some(a), Some(b)) => Known::Value(a.max(*b)),
        (None, _) => worst,
        (_, None) => next,
    });
    Some(ColdView {
        n: starts.len(),
        parts_ns: [
            part(&|start| start.hello_ns),
            part(&|start| start.load_ns),
            part(&|start| start.first_ns),
        ],
        cached_percent: cached?,
    })
}
