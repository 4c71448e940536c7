//! Device selectors: `hardware`, `cpu` (the backend's preferred device), `cpu:*` (all of them), `cpu:avx2`.

use yardstick_api::{Device, DeviceClass, DeviceKind, DeviceStatus};

use super::Error;

/// What each backend of each worker found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// In the workers' order, and each worker's own.
    pub backends: Vec<Found>,
    /// Backends of programs that were not asked, because nothing named them.
    pub unasked: Vec<String>,
}

/// One backend of one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its name, the beginning of its device ids.
    pub backend: String,
    /// Its devices, usable or not.
    pub devices: Vec<DeviceStatus>,
    /// Index of the worker that has it.
    pub worker: usize,
    /// What that worker is to the run.
    pub role: Role,
}

/// What a worker's program is to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// This program: its own devices, and the reference.
    Own,
    /// This program where builds take its place: the reference alone.
    Oracle,
    /// A build of this program under a label; every build runs the devices asked for.
    Build(String),
    /// Another program that speaks the protocol; runs only what is named.
    External(String),
}

impl Role {
    /// The label that a record's cell carries.
    pub fn build(&self) -> Option<&str> {
        match self {
            Role::Build(label) => Some(label),
            _ => None,
        }
    }

    /// For messages.
    pub fn title(&self) -> String {
        match self {
            Role::Own | Role::Oracle => "this program".to_owned(),
            Role::Build(label) => format!("build {label}"),
            Role::External(name) => format!("worker {name}"),
        }
    }
}

impl Inventory {
    /// Every device, usable or not; those of builds too, so an id may come more than once.
    pub fn statuses(&self) -> impl Iterator<Item = &DeviceStatus> {
        self.backends.iter().flat_map(|found| &found.devices)
    }

    /// A usable device of this program by id.
    pub fn device(&self, id: &str) -> Option<&Device> {
        let own =
            self.backends.iter().filter(|found| matches!(found.role, Role::Own | Role::Oracle));
        own.flat_map(|found| &found.devices).filter_map(ready).find(|device| device.id == id)
    }

    fn known(&self) -> String {
        let mut ids: Vec<&str> = Vec::new();
        for found in self.backends.iter().filter(|found| found.role != Role::Oracle) {
            for status in &found.devices {
                if !ids.contains(&status.id()) {
                    ids.push(status.id());
                }
            }
        }
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    }

    /// What one selector is looked up in: everything that is not a build, then each build.
    fn layers(&self) -> Vec<Layer<'_>> {
        let mut layers = vec![Layer { build: None, found: Vec::new() }];
        for found in self.backends.iter().filter(|found| found.role != Role::Oracle) {
            let build = found.role.build();
            match layers.iter_mut().find(|layer| layer.build == build) {
                Some(layer) => layer.found.push(found),
                None => layers.push(Layer { build, found: vec![found] }),
            }
        }
        layers
    }
}

/// The backends among which a selector names devices.
struct Layer<'a> {
    build: Option<&'a str>,
    found: Vec<&'a Found>,
}

/// A device that was meant: one to run on, or one that cannot be and why.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// Run on it.
    Run {
        /// The device.
        device: Device,
        /// Index of the worker that has it.
        worker: usize,
        /// Label of the build that runs it.
        build: Option<String>,
    },
    /// Not here; its cells are skipped.
    Skip {
        /// Its id.
        id: String,
        /// The device, where it exists.
        device: Option<Box<Device>>,
        /// Label of the build that does not run it.
        build: Option<String>,
        /// Why.
        reason: String,
        /// One line that would change that.
        fix: Option<String>,
    },
}

impl Selected {
    fn id(&self) -> (&str, Option<&str>) {
        match self {
            Selected::Run { device, build, .. } => (&device.id, build.as_deref()),
            Selected::Skip { id, build, .. } => (id, build.as_deref()),
        }
    }

    /// The same under another label.
    pub(super) fn labelled(&self, label: &str) -> Selected {
        let mut labelled = self.clone();
        match &mut labelled {
            Selected::Run { build, .. } | Selected::Skip { build, .. } => {
                *build = Some(label.to_owned());
            }
        }
        labelled
    }
}

/// The devices the selectors mean, each once a build; a device to run on wins over the same one skipped.
pub fn select(selectors: &[String], inventory: &Inventory) -> Result<Vec<Selected>, Error> {
    let mut selected: Vec<Selected> = Vec::new();
    for selector in selectors {
        for one in select_one(selector, inventory)? {
            match selected.iter().position(|other| other.id() == one.id()) {
                None => selected.push(one),
                Some(at) if matches!(one, Selected::Run { .. }) => selected[at] = one,
                Some(_) => {}
            }
        }
    }
    if selected.is_empty() {
        return Err(Error::NoDevice { known: inventory.known() });
    }
    Ok(selected)
}

/// A device that one build has and another has not is skipped for the other, not forgotten.
fn select_one(selector: &str, inventory: &Inventory) -> Result<Vec<Selected>, Error> {
    let layers = inventory.layers();
    let named: Vec<Option<Vec<Selected>>> =
        layers.iter().map(|layer| layer.select(selector)).collect();
    if named.iter().all(Option::is_none) {
        let known = inventory.known();
        return Err(Error::UnknownDevice { found: selector.to_owned(), known });
    }
    let is_build = |layer: &Layer<'_>| layer.build.is_some();
    let of_builds = layers.iter().zip(&named).any(|(layer, n)| is_build(layer) && n.is_some());
    let mut selected = Vec::new();
    for (layer, named) in layers.iter().zip(named) {
        match named {
            Some(named) => selected.extend(named),
            None if of_builds && is_build(layer) => selected.push(layer.lacks(selector)),
            None => {}
        }
    }
    Ok(selected)
}

impl Layer<'_> {
    /// What a selector means here; `None` where it is not known.
    fn select(&self, selector: &str) -> Option<Vec<Selected>> {
        if selector == "hardware" {
            // Another program is measured when it is named, so that a plain run starts none.
            let own = self.found.iter().filter(|found| !matches!(found.role, Role::External(_)));
            return Some(own.flat_map(|found| hardware(found)).collect());
        }
        for found in &self.found {
            if let Some(status) = found.devices.iter().find(|status| status.id() == selector) {
                return Some(vec![named(found, status)]);
            }
        }
        let (backend, all) = match selector.strip_suffix(":*") {
            Some(backend) => (backend, true),
            None => (selector, false),
        };
        let mut of_it = self.found.iter().filter(|found| found.backend == backend);
        let found = of_it.find(|found| !found.devices.is_empty())?;
        match preferred(&found.devices) {
            Some(device) if !all => Some(vec![run(found, device)]),
            _ => Some(found.devices.iter().map(|status| named(found, status)).collect()),
        }
    }

    /// A device that another build has; a build that did not start says so under its backends' names.
    fn lacks(&self, selector: &str) -> Selected {
        let build = self.build.unwrap_or_default();
        let head = selector.split(':').next().unwrap_or(selector);
        let statuses = self.found.iter().flat_map(|found| &found.devices);
        let lost = statuses.filter(|status| status.id() == head).find_map(|status| match status {
            DeviceStatus::Missing { reason, fix, .. } => Some((reason.clone(), fix.clone())),
            DeviceStatus::Ready(_) => None,
        });
        let (reason, fix) =
            lost.unwrap_or_else(|| (format!("build {build} has no device {selector}"), None));
        let (id, build) = (selector.to_owned(), Some(build.to_owned()));
        Selected::Skip { id, device: None, build, reason, fix }
    }
}

/// The backend's preferred device if it is hardware. Otherwise what stands in the way: software or emulated adapters of
/// processors that a reader would take for hardware, and the first of its missing devices, which speaks for the others
/// (`devices` tells of each). Oracles and test doubles (software on the CPU) are not mentioned: nobody misses them.
fn hardware(found: &Found) -> Vec<Selected> {
    let statuses = &found.devices;
    let real = || statuses.iter().filter_map(ready).filter(|d| d.class == DeviceClass::Hardware);
    if let Some(device) = real().find(|device| device.preferred).or_else(|| real().next()) {
        return vec![run(found, device)];
    }
    let taken_for = |status: &&DeviceStatus| {
        ready(status).is_some_and(|d| matches!(d.kind, DeviceKind::Gpu | DeviceKind::Npu))
    };
    let missing = statuses.iter().find(|status| ready(status).is_none());
    let standing = statuses.iter().filter(taken_for).chain(missing);
    standing.map(|status| unnamed(found, status)).collect()
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

fn label(found: &Found) -> Option<String> {
    found.role.build().map(str::to_owned)
}

fn run(found: &Found, device: &Device) -> Selected {
    Selected::Run { device: device.clone(), worker: found.worker, build: label(found) }
}

fn named(found: &Found, status: &DeviceStatus) -> Selected {
    match status {
        DeviceStatus::Ready(device) => run(found, device),
        DeviceStatus::Missing { id, reason, fix } => {
            let (id, reason, fix) = (id.clone(), reason.clone(), fix.clone());
            Selected::Skip { id, device: None, build: label(found), reason, fix }
        }
    }
}

fn unnamed(found: &Found, status: &DeviceStatus) -> Selected {
    match status {
        DeviceStatus::Ready(device) => Selected::Skip {
            id: device.id.clone(),
            device: Some(Box::new(device.clone())),
            build: label(found),
            reason: "a software adapter or emulator: not hardware, and not named".to_owned(),
            fix: Some(format!("name it: --device {}", device.id)),
        },
        DeviceStatus::Missing { .. } => named(found, status),
    }
}
