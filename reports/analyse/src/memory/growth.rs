//! Growth of memory from request to request: the median of all slopes between two requests (Theil and Sen), with its interval.
//!
//! Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968); ties as in Gilbert, Statistical Methods for
//! Environmental Pollution Monitoring (1987), section 16.5. One step, as an allocator makes it, does not move the median.

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_api::Known;

use crate::{CONFIDENCE, Interval};

/// Growth over requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MemoryGrowth {
    /// Bytes a request.
    pub slope: f64,
    /// 95 %.
    pub interval: Interval,
    /// Requests it stands on, those of the beginning left out.
    pub requests: usize,
    /// Bytes from the first of them to the last.
    pub change: f64,
    /// The interval lies above 0.
    pub grows: bool,
}

/// Fewer tell nothing.
pub const LEAST_REQUESTS: usize = 16;
/// The share of requests at the beginning that is left out: buffers grow to what they need.
const SETTLING: usize = 4;
/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_964;

/// From the bytes held after each request, in order.
pub fn memory_growth(bytes: &[f64]) -> Known<MemoryGrowth> {
    if bytes.len() < LEAST_REQUESTS {
        let why = format!("{} requests, growth needs {LEAST_REQUESTS}", bytes.len());
        return Known::unavailable(why);
    }
    if bytes.iter().any(|value| !value.is_finite()) {
        return Known::unavailable("a request's memory could not be read");
    }
    let settled = &bytes[bytes.len() / SETTLING..];
    let mut slopes = Vec::with_capacity(settled.len() * (settled.len() - 1) / 2);
    for (i, first) in settled.iter().enumerate() {
        for (j, later) in settled.iter().enumerate().skip(i + 1) {
            slopes.push((later - first) / (j - i) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    let Some(slope) = crate::median(&slopes) else { return Known::unavailable("no slope") };
    // Ranks of the interval's ends.
    let reach = Z * variance(settled).sqrt();
    let (count, last) = (slopes.len() as f64, slopes.len() - 1);
    let at = |rank: f64| slopes[(rank.round().max(0.0) as usize).min(last)];
    let interval = Interval {
        low: at((count - reach) / 2.0 - 1.0),
        high: at((count + reach) / 2.0),
        confidence: CONFIDENCE,
    };
    let change = settled.last().unwrap_or(&0.0) - settled.first().unwrap_or(&0.0);
    let grows = interval.low > 0.0;
    Known::Value(MemoryGrowth { slope, interval, requests: settled.len(), change, grows })
}

/// Of Kendall's S, with ties.
fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mut ties: BTreeMap<u64, f64> = BTreeMap::new();
    for value in values {
        *ties.entry(value.to_bits()).or_insert(0.0) += 1.0;
    }
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    ((term(n) - ties.values().map(|&count| term(count)).sum::<f64>()) / 18.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[f64]) -> MemoryGrowth {
        match memory_growth(bytes) {
            Known::Value(growth) => growth,
            Known::Unavailable { unavailable } => panic!("{unavailable}"),
        }
    }

    /// A page more or less, by a fixed rule.
    fn noise(i: usize) -> f64 {
        ((i * 7919) % 5) as f64 * 4096.0
    }

    #[test]
    fn a_leak_is_found_with_its_size_also_under_noise() {
        let bytes: Vec<f64> = (0..40).map(|i| 1e8 + 65_536.0 * i as f64 + noise(i)).collect();
        let growth = found(&bytes);
        assert!(growth.grows && (growth.slope / 65_536.0 - 1.0).abs() < 0.02, "{growth:?}");
        assert!(growth.interval.low < growth.slope && growth.slope < growth.interval.high);
    }

    #[test]
    fn neither_noise_nor_warming_up_nor_one_step_is_growth() {
        let noisy: Vec<f64> = (0..40).map(|i| 1e8 + noise(i)).collect();
        let warming: Vec<f64> = (0..40).map(|i| 1e8 + 1e6 * (i as f64).min(8.0)).collect();
        let step: Vec<f64> = (0..40).map(|i| if i < 30 { 1e8 } else { 1.1e8 }).collect();
        for bytes in [noisy, warming, step, vec![1e8; 40]] {
            let growth = found(&bytes);
            assert!(!growth.grows, "{growth:?}");
            assert!(growth.interval.low <= 0.0);
        }
    }

    #[test]
    fn too_few_or_unread_requests_are_a_reason() {
        assert!(memory_growth(&[1.0; 15]).reason().is_some_and(|why| why.contains("needs 16")));
        let mut unread = vec![1.0; 20];
        unread[3] = f64::NAN;
        assert!(memory_growth(&unread).reason().is_some());
    }
}
