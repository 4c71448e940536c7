//! The driver's library, behind nvml-wrapper. Nothing here computes.

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};

use super::super::sensor::Missing;
use super::{Driver, Throttled};
use crate::probe::Learnt;
use crate::root::clean;

/// Loads the library.
pub(super) fn open() -> Result<Box<dyn Driver>, Missing> {
    match Nvml::init() {
        Ok(nvml) => Ok(Box::new(Library { nvml })),
        Err(error) => Err(missing(&error)),
    }
}

/// What to do about an error, where something can be done.
pub(super) fn missing(error: &NvmlError) -> Missing {
    let (reason, fix) = match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => (
            "the NVIDIA driver's library libnvidia-ml cannot be loaded".to_owned(),
            Some(
                "install the NVIDIA driver (nvidia-smi must work); in a container: docker run --gpus all",
            ),
        ),
        NvmlError::DriverNotLoaded => (
            "the NVIDIA driver is installed and not loaded".to_owned(),
            Some("sudo modprobe nvidia"),
        ),
        NvmlError::LibRmVersionMismatch => (
            "the NVIDIA library is of another version than the loaded driver".to_owned(),
            Some("reboot, so that the new driver is loaded"),
        ),
        NvmlError::NoPermission => (
            "this user may not use the NVIDIA driver".to_owned(),
            Some("sudo usermod -aG video,render $USER, then log in again"),
        ),
        other => (words(other), None),
    };
    Missing::new(reason, fix)
}

fn words(error: &NvmlError) -> String {
    format!("NVML: {}", clean(&error.to_string()))
}

/// Why nothing is known of the worker on a board.
const NOT_THERE: &str =
    "the worker is not among the board's processes (in a container its id differs)";

struct Library {
    nvml: Nvml,
}

impl Library {
    fn ask<T>(
        &self,
        board: u32,
        question: impl FnOnce(&Device<'_>) -> Result<T, NvmlError>,
    ) -> Learnt<T> {
        self.nvml.device_by_index(board).and_then(|d| question(&d)).map_err(|e| words(&e))
    }
}

impl Library {
    /// Those that compute on a board, and those that draw where the driver tells.
    fn processes(&self, board: u32) -> Learnt<Vec<ProcessInfo>> {
        let mut all = self.ask(board, |device| device.running_compute_processes())?;
        let drawing = self.ask(board, |device| device.running_graphics_processes());
        all.extend(drawing.unwrap_or_default());
        Ok(all)
    }
}

impl Driver for Library {
    fn boards(&self) -> Result<u32, Missing> {
        self.nvml.device_count().map_err(|error| missing(&error))
    }

    fn name(&self, board: u32) -> Learnt<String> {
        self.ask(board, |device| device.name()).map(|name| clean(&name))
    }

    fn energy(&self, board: u32) -> Learnt<u64> {
        self.ask(board, |device| device.total_energy_consumption())
    }

    fn power(&self, board: u32) -> Learnt<f64> {
        self.ask(board, |device| device.power_usage()).map(f64::from)
    }

    fn temperature(&self, board: u32) -> Learnt<f64> {
        self.ask(board, |device| device.temperature(TemperatureSensor::Gpu)).map(f64::from)
    }

    fn clocks(&self, board: u32) -> Learnt<(f64, f64)> {
        let clock = |clock| self.ask(board, |device| device.clock_info(clock)).map(f64::from);
        Ok((clock(Clock::SM)?, clock(Clock::Memory)?))
    }

    fn busy(&self, board: u32) -> Learnt<f64> {
        self.ask(board, |device| device.utilization_rates()).map(|rates| f64::from(rates.gpu))
    }

    fn power_limit(&self, board: u32) -> Learnt<f64> {
        self.ask(board, |device| device.enforced_power_limit()).map(f64::from)
    }

    fn throttled(&self, board: u32) -> Learnt<Throttled> {
        let heat = ThrottleReasons::SW_THERMAL_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN;
        let brake = ThrottleReasons::HW_SLOWDOWN | ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN;
        self.ask(board, |device| device.current_throttle_reasons()).map(|reasons| Throttled {
            power: reasons.intersects(ThrottleReasons::SW_POWER_CAP),
            heat: reasons.intersects(heat),
            // `HW_SLOWDOWN` is set beside the hardware's heat too.
            brake: reasons.intersects(brake) && !reasons.intersects(heat),
        })
    }

    fn memory(&self, board: u32, pid: u32) -> Learnt<f64> {
        let own = self.processes(board)?.into_iter().filter(|process| process.pid == pid);
        let bytes = own.map(|process| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Ok(bytes as f64),
            UsedGpuMemory::Unavailable => {
                Err("the driver does not tell a process's memory".to_owned())
            }
        });
        // A process that both computes and draws is listed twice with the same memory.
        let bytes: Learnt<Vec<f64>> = bytes.collect();
        bytes?.into_iter().reduce(f64::max).ok_or_else(|| NOT_THERE.to_owned())
    }

    fn others(&self, board: u32, pid: u32) -> Learnt<f64> {
        if !self.processes(board)?.iter().any(|process| process.pid == pid) {
            return Err(NOT_THERE.to_owned());
        }
        let computing = self.ask(board, |device| device.running_compute_processes())?;
        Ok(computing.iter().filter(|process| process.pid != pid).count() as f64)
    }
}
