//! The adapters of this machine, looked for once a process: hardware before software, otherwise as the drivers list
//! them. Nothing is opened for work here.

use std::sync::OnceLock;

use wgpu::{Backends, DeviceType, InstanceDescriptor};
use yardstick_api::mutants::Mutation;
use yardstick_api::{Device, DeviceClass, DeviceKind, DeviceStatus, Known, Numerics};

use crate::mutants;

/// One adapter with what it says of itself.
pub(crate) struct Found {
    pub(crate) adapter: wgpu::Adapter,
    pub(crate) info: wgpu::AdapterInfo,
    /// Its name, with what tells it from others of that name.
    called: String,
    pub(crate) limits: wgpu::Limits,
    /// What it lacks to run anything here.
    pub(crate) lacks: Option<String>,
}

/// Interfaces asked: OpenGL and software paths inside wgpu would answer with noise and little else.
const INTERFACES: Backends =
    Backends::VULKAN.union(Backends::METAL).union(Backends::DX12).union(Backends::BROWSER_WEBGPU);

/// What a person is told where there is none.
const FIX: &str = "install a GPU driver with Vulkan, or the software one: apt-get install mesa-vulkan-drivers libvulkan1";

/// Storage bindings of the operation that has most.
const STORAGE_BUFFERS: u32 = 7;

static ALL: OnceLock<Vec<Found>> = OnceLock::new();

/// Looks for adapters, once a process. A browser's page awaits this before it asks for devices.
pub async fn look() {
    if ALL.get().is_some() {
        return;
    }
    let mut descriptor = InstanceDescriptor::new_without_display_handle();
    descriptor.backends = INTERFACES;
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let adapters = instance.enumerate_adapters(INTERFACES).await;
    let mut found: Vec<Found> = adapters.into_iter().map(describe).collect();
    found.sort_by_key(|found| order(&found.info));
    let infos: Vec<&wgpu::AdapterInfo> = found.iter().map(|found| &found.info).collect();
    let names = names(&infos);
    found.iter_mut().zip(names).for_each(|(found, name)| found.called = name);
    // Another thread may have been quicker, with the same.
    let _ = ALL.set(found);
}

/// All adapters, in the order of their numbers; in a browser those that [`look`] found.
pub(crate) fn all() -> &'static [Found] {
    #[cfg(not(target_arch = "wasm32"))]
    crate::wait::block(look());
    ALL.get().map_or(&[], Vec::as_slice)
}

/// Hardware before software; then by what stays the same from start to start, so that a number keeps its adapter even where
/// several have one name. What nothing tells apart stays as the driver lists it.
fn order(info: &wgpu::AdapterInfo) -> (u8, String, String) {
    (rank(info.device_type), info.device_pci_bus_id.clone(), info.name.clone())
}

fn describe(adapter: wgpu::Adapter) -> Found {
    let (info, limits) = (adapter.get_info(), adapter.limits());
    let capable =
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS);
    let lacks = lacks(capable, &limits);
    Found { adapter, called: info.name.clone(), info, limits, lacks }
}

/// What adapters are called: by their names and, where several have one, by the bus each is on or its number among them.
fn names(infos: &[&wgpu::AdapterInfo]) -> Vec<String> {
    let name = |(i, info): (usize, &&wgpu::AdapterInfo)| {
        let same = |other: &&&wgpu::AdapterInfo| other.name == info.name;
        let before = infos[..i].iter().filter(same).count();
        match (infos.iter().filter(same).count(), info.device_pci_bus_id.as_str()) {
            (1, _) => info.name.clone(),
            (_, "") => format!("{} #{}", info.name, before + 1),
            (_, bus) => format!("{} at {bus}", info.name),
        }
    };
    infos.iter().enumerate().map(name).collect()
}

/// What an adapter of these limits lacks to run anything here.
fn lacks(has_compute: bool, limits: &wgpu::Limits) -> Option<String> {
    let buffers = limits.max_storage_buffers_per_shader_stage;
    if !has_compute {
        Some("it has no compute shaders".to_owned())
    } else if buffers < STORAGE_BUFFERS {
        Some(format!("it binds {buffers} storage buffers at once, {STORAGE_BUFFERS} are needed"))
    } else if limits.max_compute_invocations_per_workgroup < 64 {
        Some("its workgroups are smaller than 64".to_owned())
    } else {
        None
    }
}

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

impl Found {
    /// A processor that poses as an adapter.
    pub(crate) fn is_software(&self) -> bool {
        self.info.device_type == DeviceType::Cpu
    }

    /// `NVIDIA H200, Vulkan, driver ...`
    fn name(&self) -> String {
        format!("{}, {:?}, {}", self.called, self.info.backend, self.driver())
    }

    /// Driver and its version.
    pub(crate) fn driver(&self) -> String {
        let info = &self.info;
        format!("{} {}", info.driver, info.driver_info).trim().to_owned()
    }
}

/// The devices, ready or missing.
pub fn devices() -> Vec<DeviceStatus> {
    let all = all();
    if all.is_empty() {
        let reason = "no Vulkan, Metal or DX12 adapter, or no loader for them".to_owned();
        return vec![DeviceStatus::Missing { id: "wgpu:0".into(), reason, fix: Some(FIX.into()) }];
    }
    let best = all.iter().position(|found| found.lacks.is_none());
    let status = |(i, found): (usize, &Found)| {
        let id = format!("wgpu:{i}");
        match &found.lacks {
            Some(lack) => {
                let reason = format!("{} cannot run this: {lack}", found.name());
                DeviceStatus::Missing { id, reason, fix: Some("use another adapter".into()) }
            }
            None => DeviceStatus::Ready(ready(id, found, best == Some(i))),
        }
    };
    let mutants = mutants::devices().map(|(name, _)| {
        let device = ready(format!("wgpu:{name}"), &all[0], false);
        DeviceStatus::Ready(Device { class: DeviceClass::Software, ..device })
    });
    all.iter().enumerate().map(status).chain(mutants).collect()
}

fn ready(id: String, found: &Found, preferred: bool) -> Device {
    let software = found.is_software();
    Device {
        id,
        name: found.name(),
        kind: if software { DeviceKind::Cpu } else { DeviceKind::Gpu },
        class: if software { DeviceClass::Software } else { DeviceClass::Hardware },
        numerics: vec![Numerics::F32, Numerics::A8],
        memory_bytes: memory(found),
        preferred,
    }
}

/// WebGPU does not tell how much memory there is; a software adapter has the machine's.
fn memory(found: &Found) -> Known<u64> {
    if found.is_software() {
        return crate::plan::machine_memory();
    }
    Known::unavailable("wgpu does not tell an adapter's memory")
}

/// The adapter of a device id, and the fault it has on purpose.
pub(crate) fn find(id: &str) -> Option<(&'static Found, Mutation)> {
    let name = id.strip_prefix("wgpu:")?;
    let (number, mutation) = match mutants::devices().find(|(mutant, _)| *mutant == name) {
        Some((_, mutation)) => (0, mutation),
        None => (name.parse::<usize>().ok()?, Mutation::default()),
    };
    let found = all().get(number).filter(|found| found.lacks.is_none())?;
    Some((found, mutation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_adapter_lacks_is_named_and_what_a_browser_promises_is_enough() {
        let least = wgpu::Limits::default();
        assert_eq!(lacks(true, &least), None);
        assert!(lacks(false, &least).is_some_and(|lack| lack.contains("compute")));
        let few = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..least.clone() };
        assert!(lacks(true, &few).is_some_and(|lack| lack.contains("binds 4")));
        let small = wgpu::Limits { max_compute_invocations_per_workgroup: 32, ..least };
        assert!(lacks(true, &small).is_some_and(|lack| lack.contains("64")));
    }

    fn info(device_type: DeviceType, name: &str, bus: &str) -> wgpu::AdapterInfo {
        let mut info = wgpu::AdapterInfo::new(device_type, wgpu::Backend::Vulkan);
        (info.name, info.device_pci_bus_id) = (name.into(), bus.into());
        info
    }

    #[test]
    fn two_of_one_name_keep_their_numbers_however_a_driver_lists_them() {
        let (gpu, cpu) = (DeviceType::DiscreteGpu, DeviceType::Cpu);
        let mut list = vec![
            info(cpu, "llvmpipe", ""),
            info(gpu, "RTX 4090", "0000:81:00.0"),
            info(gpu, "RTX 4090", "0000:01:00.0"),
        ];
        let buses = |list: &mut Vec<wgpu::AdapterInfo>| {
            list.sort_by_key(order);
            list.iter().map(|info| info.device_pci_bus_id.clone()).collect::<Vec<_>>()
        };
        let expected = ["0000:01:00.0", "0000:81:00.0", ""];
        assert_eq!(buses(&mut list), expected);
        list.reverse();
        assert_eq!(buses(&mut list), expected);
        let called = ["RTX 4090 at 0000:01:00.0", "RTX 4090 at 0000:81:00.0", "llvmpipe"];
        assert_eq!(names(&list.iter().collect::<Vec<_>>()), called);
        list.iter_mut().for_each(|info| info.device_pci_bus_id.clear());
        assert_eq!(names(&list.iter().collect::<Vec<_>>())[..2], ["RTX 4090 #1", "RTX 4090 #2"]);
    }

    #[test]
    fn adapters_are_told_apart_by_number_and_other_names_are_nobodys() {
        for id in ["wgpu:", "wgpu:-1", "wgpu:999", "wgpu:x", "cuda:0", ""] {
            assert!(find(id).is_none(), "{id:?}");
        }
        let ids: Vec<String> = devices().iter().map(|status| status.id().to_owned()).collect();
        let mut apart = ids.clone();
        apart.dedup();
        assert_eq!(ids, apart, "adapters of one name have ids of their own");
    }
}
