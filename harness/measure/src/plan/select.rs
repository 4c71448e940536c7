//! Device selectors: `hardware`, `cpu` (the backend's preferred device), `cpu:*` (all of them), `cpu:avx2`.

use yardstick_api::{Device, DeviceClass, DeviceKind, DeviceStatus};

use super::Error;

/// What each backend found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Backend name and its devices, in the registry's order.
    pub backends: Vec<(String, Vec<DeviceStatus>)>,
}

impl Inventory {
    /// Every device, usable or not.
    pub fn statuses(&self) -> impl Iterator<Item = &DeviceStatus> {
        self.backends.iter().flat_map(|(_, statuses)| statuses)
    }

    /// A usable device by id.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.statuses().filter_map(ready).find(|device| device.id == id)
    }

    fn known(&self) -> String {
        let ids: Vec<&str> = self.statuses().map(DeviceStatus::id).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    }
}

/// A device that was meant: one to run on, or one that cannot be and why.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// Run on it.
    Run(Device),
    /// Not here; its cells are skipped.
    Skip {
        /// Its id.
        id: String,
        /// The device, where it exists.
        device: Option<Box<Device>>,
        /// Why.
        reason: String,
        /// One line that would change that.
        fix: Option<String>,
    },
}

impl Selected {
    fn id(&self) -> &str {
        match self {
            Selected::Run(device) => &device.id,
            Selected::Skip { id, .. } => id,
        }
    }
}

/// The devices the selectors mean, each once; a device to run on wins over the same one skipped.
pub fn select(selectors: &[String], inventory: &Inventory) -> Result<Vec<Selected>, Error> {
    let mut selected: Vec<Selected> = Vec::new();
    for selector in selectors {
        for one in select_one(selector, inventory)? {
            match selected.iter().position(|other| other.id() == one.id()) {
                None => selected.push(one),
                Some(at) if matches!(one, Selected::Run(_)) => selected[at] = one,
                Some(_) => {}
            }
        }
    }
    if selected.is_empty() {
        return Err(Error::NoDevice { known: inventory.known() });
    }
    Ok(selected)
}

fn select_one(selector: &str, inventory: &Inventory) -> Result<Vec<Selected>, Error> {
    if selector == "hardware" {
        return Ok(inventory.backends.iter().flat_map(|(_, all)| hardware(all)).collect());
    }
    if let Some(status) = inventory.statuses().find(|status| status.id() == selector) {
        return Ok(vec![named(status)]);
    }
    let (backend, all) = match selector.strip_suffix(":*") {
        Some(backend) => (backend, true),
        None => (selector, false),
    };
    let found = inventory.backends.iter().find(|(name, _)| name == backend);
    let statuses = match found {
        Some((_, statuses)) if !statuses.is_empty() => statuses,
        _ => {
            let known = inventory.known();
            return Err(Error::UnknownDevice { found: selector.to_owned(), known });
        }
    };
    if all {
        return Ok(statuses.iter().map(named).collect());
    }
    match preferred(statuses) {
        Some(device) => Ok(vec![Selected::Run(device.clone())]),
        None => Ok(statuses.iter().map(named).collect()),
    }
}

/// The backend's preferred device if it is hardware. Otherwise what stands in the way: its missing devices, and
/// software or emulated adapters of processors that a reader would take for hardware. Oracles and test doubles
/// (software on the CPU) are not mentioned: nobody misses them.
fn hardware(statuses: &[DeviceStatus]) -> Vec<Selected> {
    let real = || statuses.iter().filter_map(ready).filter(|d| d.class == DeviceClass::Hardware);
    if let Some(device) = real().find(|device| device.preferred).or_else(|| real().next()) {
        return vec![Selected::Run(device.clone())];
    }
    let stands_in = |status: &&DeviceStatus| match status {
        DeviceStatus::Missing { .. } => true,
        DeviceStatus::Ready(device) => matches!(device.kind, DeviceKind::Gpu | DeviceKind::Npu),
    };
    statuses.iter().filter(stands_in).map(unnamed).collect()
}

fn ready(status: &DeviceStatus) -> Option<&Device> {
    match status {
        DeviceStatus::Ready(device) => Some(device),
        DeviceStatus::Missing { .. } => None,
    }
}

fn preferred(statuses: &[DeviceStatus]) -> Option<&Device> {
    let devices = || statuses.iter().filter_map(ready);
    devices().find(|device| device.preferred).or_else(|| devices().next())
}

fn named(status: &DeviceStatus) -> Selected {
    match status {
        DeviceStatus::Ready(device) => Selected::Run(device.clone()),
        DeviceStatus::Missing { id, reason, fix } => {
            let (id, reason, fix) = (id.clone(), reason.clone(), fix.clone());
            Selected::Skip { id, device: None, reason, fix }
        }
    }
}

fn unnamed(status: &DeviceStatus) -> Selected {
    match status {
        DeviceStatus::Ready(device) => Selected::Skip {
            id: device.id.clone(),
            device: Some(Box::new(device.clone())),
            reason: "a software adapter or emulator: not hardware, and not named".to_owned(),
            fix: Some(format!("name it: --device {}", device.id)),
        },
        DeviceStatus::Missing { .. } => named(status),
    }
}
