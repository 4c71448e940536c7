//! Devices: what a backend can run on, here and now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Known, Numerics};

/// One thing a backend can run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// `backend:what`, for example `cpu:avx512-vnni` or `wgpu:0`.
    pub id: String,
    /// What a person calls it: the processor's or adapter's name.
    pub name: String,
    /// The sort of processor.
    pub kind: DeviceKind,
    /// Real hardware, a software adapter, or an emulator.
    pub class: DeviceClass,
    /// The numerics classes it can be asked for; the first is its default.
    pub numerics: Vec<Numerics>,
    /// Memory a model may use, bytes.
    pub memory_bytes: Known<u64>,
    /// This is the backend's best device: what a suite means by the backend's bare name.
    pub preferred: bool,
}

impl Device {
    /// The part of the id before the colon.
    pub fn backend(&self) -> &str {
        self.id.split(':').next().unwrap_or(&self.id)
    }
}

/// The sort of processor a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// Central processor.
    Cpu,
    /// Graphics processor.
    Gpu,
    /// Neural accelerator.
    Npu,
    /// Nothing at all: answers are made up (the null backend).
    None,
}

/// Whether a device's speed says anything about hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceClass {
    /// Runs on the hardware it names.
    Hardware,
    /// A software adapter, an oracle or a test double: never ranked for speed, skipped unless named.
    Software,
    /// An emulator: answers count, times mean nothing.
    Emulated,
}

/// A device that is usable, or one that is not with the reason and the one-line fix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceStatus {
    /// Usable here and now.
    Ready(Device),
    /// Known to the backend, not usable here.
    Missing {
        /// The id it would have.
        id: String,
        /// Why it is not usable.
        reason: String,
        /// One line that would change that; `None` where nothing can.
        fix: Option<String>,
    },
}

impl DeviceStatus {
    /// The device's id, usable or not.
    pub fn id(&self) -> &str {
        match self {
            DeviceStatus::Ready(device) => &device.id,
            DeviceStatus::Missing { id, .. } => id,
        }
    }
}
