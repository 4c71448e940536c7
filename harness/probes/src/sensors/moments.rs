//! What the sensors of clocks, heat and throttling say right now, for who looks from moment to moment.

use super::cpufreq::Cpufreq;
use super::thermal::Thermal;
use super::throttle::Throttle;
use crate::Root;

/// Those there are; found once.
pub(crate) struct Moments {
    clocks: Option<Cpufreq>,
    zones: Option<Thermal>,
    throttle: Option<Throttle>,
}

impl Moments {
    pub(crate) fn open(root: &Root) -> Moments {
        Moments {
            clocks: Cpufreq::open(root).ok(),
            zones: Thermal::open(root).ok(),
            throttle: Throttle::open(root).ok(),
        }
    }

    /// Clock of the fastest CPU: what a busy one gets.
    pub(crate) fn fastest_mhz(&self) -> Option<f64> {
        self.clocks.as_ref()?.fastest().ok()
    }

    /// Temperature of the hottest zone.
    pub(crate) fn hottest_celsius(&self) -> Option<f64> {
        self.zones.as_ref()?.hottest().ok()
    }

    /// Throttling events since boot, of the CPU with the most.
    pub(crate) fn throttle_events(&self) -> Option<u64> {
        self.throttle.as_ref()?.events().ok()
    }
}
