//! What NVIDIA's management library adds to a GPU's description: memory that is free, clocks, power limit, ECC, MIG, and
//! whether other processes compute on it now.

use std::collections::BTreeMap;

use nvml_wrapper::enum_wrappers::device::Clock;
use nvml_wrapper::error::NvmlError;
use yardstick_api::Known;

/// The library, where it is there.
pub(super) struct Nvml(nvml_wrapper::Nvml);

/// One board of it.
pub(super) struct Board<'n> {
    library: &'n nvml_wrapper::Nvml,
    device: nvml_wrapper::Device<'n>,
}

/// Notes, free bytes, the driver's version.
type Facts = (BTreeMap<String, Known<String>>, Option<u64>, Option<String>);

impl Nvml {
    pub(super) fn open() -> Option<Nvml> {
        nvml_wrapper::Nvml::init().ok().map(Nvml)
    }

    /// CUDA and NVML number boards differently; the UUID is the same.
    pub(super) fn board(&self, uuid: &str) -> Option<Board<'_>> {
        self.0.device_by_uuid(uuid).ok().map(|device| Board { library: &self.0, device })
    }
}

impl Board<'_> {
    pub(super) fn facts(&self) -> Facts {
        let device = &self.device;
        let on = |is: bool| if is { "on" } else { "off" }.to_owned();
        let watts = |milliwatts: u32| format!("{} W", f64::from(milliwatts) / 1000.0);
        let clock = |kind| {
            device
                .clock_info(kind)
                .and_then(|now| Ok(format!("{now} MHz of {}", device.max_clock_info(kind)?)))
        };
        let notes = [
            ("power limit", device.enforced_power_limit().map(watts)),
            ("power limit as shipped", device.power_management_limit_default().map(watts)),
            ("ECC", device.is_ecc_enabled().map(|ecc| on(ecc.currently_enabled))),
            ("MIG", device.mig_mode().map(|mig| on(mig.current == 1))),
            ("SM clock", clock(Clock::SM)),
            ("memory clock", clock(Clock::Memory)),
            (
                "other processes",
                device.running_compute_processes().map(|all| {
                    let others = all.iter().filter(|process| process.pid != std::process::id());
                    match others.count() {
                        0 => "none".to_owned(),
                        n => format!("{n} compute on this GPU too"),
                    }
                }),
            ),
        ];
        let known = |value: Result<String, NvmlError>| {
            value.map_or_else(|error| Known::unavailable(format!("NVML: {error}")), Known::Value)
        };
        (
            notes.into_iter().map(|(name, value)| (name.to_owned(), known(value))).collect(),
            device.memory_info().ok().map(|memory| memory.free),
            self.library.sys_driver_version().ok(),
        )
    }
}
