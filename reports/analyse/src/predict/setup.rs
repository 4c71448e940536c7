//! The setup: what costs are learnt for. A device on one machine, with the threads and numerics that ran; and its ceilings.

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_api::{DeviceClass, Known, KvType, Limit, Numerics, WeightScheme};
use yardstick_model::Layout;
use yardstick_record::{Record, Test};

use super::costs::Shares;
use super::work::{Phase, Work};
use crate::row;

/// A device as it ran: records of equal setups teach one another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setup {
    /// Machine.
    pub machine: String,
    /// Device that ran.
    pub device: String,
    /// What a person calls it.
    pub name: String,
    /// Real hardware, software or emulated.
    pub class: DeviceClass,
    /// Threads that computed.
    pub threads: Known<usize>,
    /// Storage of keys and values.
    pub kv: KvType,
    /// Arithmetic that ran.
    pub numerics: Numerics,
    /// Weights rounded anew, where they are.
    pub weights: Option<WeightScheme>,
    /// Label of the build, where a run compared several.
    pub build: Option<String>,
}

impl Setup {
    /// Of a record; `None` where nothing ran.
    pub(crate) fn of(record: &Record) -> Option<Setup> {
        let (facts, device) = (record.facts.value()?, record.device.value()?);
        Some(Setup {
            machine: row::machine(record),
            device: record.cell.device.clone(),
            name: device.name.clone(),
            class: device.class,
            threads: facts.threads.clone(),
            kv: facts.kv,
            numerics: facts.numerics,
            weights: record.cell.options.weights,
            build: record.cell.build.clone(),
        })
    }

    /// Whether a device asked for is this one: by id (`cpu:avx2`) or by backend (`cpu`).
    pub fn is(&self, device: &str) -> bool {
        self.device == device || self.device.split(':').next() == Some(device)
    }

    /// `cpu:avx2, 2 threads, kv f16`
    pub fn words(&self) -> String {
        let threads = self.threads.value().map_or(String::new(), |n| format!(", {n} threads"));
        let weights = self.weights.map_or(String::new(), |w| format!(", weights {}", w.name()));
        let build = self.build.as_ref().map_or(String::new(), |b| format!(", build {b}"));
        format!("{}{threads}, kv {}{weights}{build}", self.device, self.kv.name())
    }
}

/// What a setup reaches at most, as its records measured it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ceilings {
    /// Bytes of the working set, bytes per second; ascending.
    read: Vec<(f64, f64)>,
    /// Operations per second.
    peak: Option<f64>,
}

impl Ceilings {
    /// Medians over the setup's records, and over limits that were measured of the device by themselves with as many threads.
    pub(crate) fn of(records: &[&Record], limits: &[&Record]) -> Ceilings {
        let beside = records.iter().filter_map(|record| {
            let ceiling = record.ceiling.value()?;
            Some((ceiling.working_set_bytes, ceiling.bytes_per_second))
        });
        let alone = limits.iter().filter_map(|record| match record.cell.test {
            Test::Limit(Limit::Read { bytes }) => {
                let best =
                    record.samples.iter().map(|s| s.tokens as f64 * 1e9 / s.nanoseconds as f64);
                Some((bytes, best.fold(0.0, f64::max)))
            }
            _ => None,
        });
        let mut read: Vec<(f64, f64)> = beside
            .chain(alone)
            .filter(|(bytes, rate)| *bytes > 0 && rate.is_finite() && *rate > 0.0)
            .map(|(bytes, rate)| (bytes as f64, rate))
            .collect();
        read.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let peaks: Vec<f64> = records
            .iter()
            .filter_map(|record| Some(record.peak.as_ref()?.value()?.operations_per_second))
            .collect();
        Ceilings { read: falling(&read), peak: crate::median(&crate::estimate::sorted(&peaks)) }
    }

    /// What a test takes at these ceilings. Where one was not measured it is 1: costs then have its unit, and tell no share.
    pub(crate) fn shares(&self, work: &Work) -> Shares {
        let read = self.read_at(work.working_set());
        let peak = self.peak.unwrap_or(1.0);
        let operations: f64 = work.operations.values().sum();
        let at = |amounts: &BTreeMap<Layout, f64>, times: f64| {
            amounts.iter().map(|(layout, amount)| (*layout, amount * times)).collect()
        };
        match work.phase {
            Phase::Decode => Shares {
                layouts: at(&work.bytes, work.passes / read),
                attention: work.kv_bytes / read,
                layers: work.passes * work.layers,
                beside: operations * (1.0 - 1.0 / work.sequences) / peak,
            },
            Phase::Prefill => Shares {
                layouts: at(&work.operations, 1.0 / peak),
                attention: work.attention / peak,
                layers: work.passes * work.layers,
                beside: work.passes * work.weight_bytes() / read,
            },
        }
    }

    /// Between the sizes measured, on logarithms; the nearest one outside of them.
    fn read_at(&self, bytes: f64) -> f64 {
        let after = self.read.partition_point(|(size, _)| *size < bytes);
        match (self.read.get(after.wrapping_sub(1)), self.read.get(after)) {
            (Some(low), Some(high)) if low.0 < high.0 => {
                let place = (bytes / low.0).ln() / (high.0 / low.0).ln();
                (low.1.ln() + place * (high.1 / low.1).ln()).exp()
            }
            (Some(_), Some(only)) | (Some(only), None) | (None, Some(only)) => only.1,
            (None, None) => 1.0,
        }
    }
}

/// Rates that do not grow with the working set, as near as can be to those measured: neighbours that contradict it share their mean. One
/// measurement is off by a third where others share the memory, more than sizes beyond the caches differ by.
///
/// Source: Ayer et al., An empirical distribution function for sampling with incomplete information (1955): pool adjacent violators.
fn falling(read: &[(f64, f64)]) -> Vec<(f64, f64)> {
    // Sizes from and to, sum of the logarithms, how many.
    let mut blocks: Vec<(f64, f64, f64, f64)> = Vec::new();
    for (size, rate) in read {
        let mut block = (*size, *size, rate.ln(), 1.0);
        while let Some(last) = blocks.pop_if(|last| last.2 / last.3 < block.2 / block.3) {
            block = (last.0, block.1, last.2 + block.2, last.3 + block.3);
        }
        blocks.push(block);
    }
    let ends = |(from, to, sum, count): (f64, f64, f64, f64)| {
        let rate = (sum / count).exp();
        [(from, rate), (to, rate)]
    };
    let mut points: Vec<(f64, f64)> = blocks.into_iter().flat_map(ends).collect();
    points.dedup();
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(read: &[(f64, f64)], bytes: f64) -> f64 {
        Ceilings { read: falling(read), peak: None }.read_at(bytes)
    }

    #[test]
    fn rates_fall_with_the_working_set_and_noise_is_shared() {
        let read = [(1e6, 100.0), (1e8, 40.0), (2e8, 90.0), (1e9, 20.0)];
        for (bytes, expected) in
            [(1e5, 100.0), (1e6, 100.0), (1e8, 60.0), (1.5e8, 60.0), (2e8, 60.0), (1e10, 20.0)]
        {
            assert!((at(&read, bytes) - expected).abs() < 1e-9, "{bytes}: {}", at(&read, bytes));
        }
        let between = at(&read, 1e7);
        assert!(60.0 < between && between < 100.0);
    }

    #[test]
    fn without_a_ceiling_it_is_one() {
        assert_eq!(at(&[], 1e6), 1.0);
    }
}
