//! Launches that are one of several: with whom they take turns, whether all fit into memory at once, and what a record says
//! of it.

use yardstick_api::{DeviceKind, Footprint, Known};
use yardstick_record::{Cell, Direction, Environment, Pairing, Reading, Test, Turn};

use super::Measuring;
use crate::plan::Launch;

/// Those a launch takes turns with.
#[derive(Clone, Debug)]
pub(in crate::runner) struct TakingTurns<'r> {
    /// All of them, this one among them.
    pub(in crate::runner) with: Vec<&'r Launch>,
    /// What alternates.
    pub(in crate::runner) unit: Turn,
    /// Why whole launches alternate, where samples were asked for.
    pub(in crate::runner) apart: Option<String>,
}

/// CPU time a member used while others were measured.
pub(super) const IDLE: &str = "paired_idle_cpu_percent";

impl Measuring<'_, '_, '_> {
    /// Whom a test's samples are measured beside; nobody where all others were measured in an earlier run.
    pub(super) fn pairing(&self, test: Test) -> Option<Pairing> {
        let turns = self.taking_turns.as_ref()?;
        let takes_part = |launch: &&&Launch| {
            launch.tests.contains(&test)
                && (turns.unit == Turn::Launches || !self.is_done(launch, test))
        };
        let mut with: Vec<&Launch> = turns.with.iter().filter(takes_part).copied().collect();
        // As named, not as shuffled: the first one is what reports hold the others against.
        with.sort_by_key(|launch| launch.place);
        let members: Vec<String> = with.into_iter().map(Launch::member).collect();
        let cell = Cell { device: String::new(), build: None, ..self.context.cell(test) };
        let group = cell.key().trim_start_matches('|').to_owned();
        (members.len() > 1).then_some(Pairing { group, unit: turns.unit, members })
    }

    fn is_done(&self, launch: &Launch, test: Test) -> bool {
        let (device, build) = (launch.device.id.clone(), launch.build.clone());
        let cell = Cell { device, build, ..self.context.cell(test) };
        self.run.done.contains(&(cell.key(), launch.number))
    }

    /// Processors of the machine, as the environment counts them.
    pub(super) fn cores(&self) -> Option<f64> {
        self.context.environment.fields.get("cpu.threads")?.value()?.as_f64()
    }

    /// Why samples do not alternate although they were to.
    pub(super) fn apart(&self) -> Option<Reading> {
        let reason = self.taking_turns.as_ref()?.apart.as_ref()?;
        Some(idle_reading(Known::unavailable(reason.clone())))
    }
}

/// The reading of how idle an idle member was.
pub(super) fn idle_reading(value: Known<f64>) -> Reading {
    Reading {
        name: IDLE.to_owned(),
        value,
        unit: "%".to_owned(),
        better: Some(Direction::Lower),
        source: "/proc/PID/task/*/schedstat during the calls of other members, of one core"
            .to_owned(),
        scope: "worker".to_owned(),
        precision: None,
    }
}

/// Whether all fit into memory at once; else why not. The model file is mapped once for all.
pub(in crate::runner) fn fits(
    members: &[(&Launch, Option<Footprint>)],
    environment: &Environment,
) -> Result<(), String> {
    let is_gpu = |launch: &Launch| launch.device.kind == DeviceKind::Gpu;
    let need = |gpu: bool| {
        let of = members.iter().filter(|(launch, _)| is_gpu(launch) == gpu);
        let known = of.filter_map(|(_, footprint)| *footprint);
        // On a device of its own each member has a copy of what it maps.
        let shared = |footprint: Footprint| if gpu { 0 } else { footprint.mapped_bytes };
        let private = known.clone().map(|f| f.total().saturating_sub(shared(f)));
        let mapped = known.map(shared).max().unwrap_or(0);
        private.fold(mapped, u64::saturating_add)
    };
    let check = |need: u64, have: Option<u64>, of: &str| match have {
        Some(have) if need > have / 10 * 9 => Err(format!(
            "the members of the pair take {} MiB together, {} MiB of {of} are free: whole launches take turns instead",
            need >> 20,
            have >> 20
        )),
        _ => Ok(()),
    };
    check(need(false), host(environment), "memory")?;
    let boards = members.iter().filter(|(launch, _)| is_gpu(launch));
    let smallest = boards.filter_map(|(launch, _)| launch.device.memory_bytes.value()).min();
    check(need(true), smallest.copied(), "the device's memory")
}

/// Bytes a process could still get.
fn host(environment: &Environment) -> Option<u64> {
    let bytes = |name: &str| environment.fields.get(name)?.value()?.as_u64();
    let available = bytes("memory.available_bytes");
    match (available, bytes("cgroup.memory_limit_bytes")) {
        (Some(available), Some(limit)) => Some(available.min(limit)),
        (available, limit) => available.or(limit),
    }
}

#[cfg(test)]
mod tests {
    use yardstick_api::{Device, DeviceClass, Options};

    use super::*;

    fn launch(kind: DeviceKind, memory: u64) -> Launch {
        let device = Device {
            id: "x:0".into(),
            name: "x".into(),
            kind,
            class: DeviceClass::Hardware,
            numerics: Vec::new(),
            memory_bytes: Known::Value(memory),
            preferred: true,
        };
        let options = Options::default();
        Launch {
            number: 0,
            place: 0,
            device,
            worker: 0,
            build: None,
            model: 0,
            options,
            tests: Vec::new(),
            pair: Some(0),
            room: 0,
        }
    }

    #[test]
    fn a_mapped_file_counts_once_and_private_memory_for_each() {
        let mib = |n: u64| n << 20;
        let footprint = |mapped, copied| Footprint {
            mapped_bytes: mib(mapped),
            copied_bytes: mib(copied),
            ..Footprint::default()
        };
        let cpu = launch(DeviceKind::Cpu, 0);
        let mut environment = Environment::default();
        environment.set("memory.available_bytes", mib(1000));
        let both = |f: Footprint| fits(&[(&cpu, Some(f)), (&cpu, Some(f))], &environment);
        assert_eq!(both(footprint(600, 100)), Ok(()));
        let why = both(footprint(100, 450)).unwrap_err();
        assert!(why.contains("take 1000 MiB together, 1000 MiB of memory are free"), "{why}");
        let gpu = launch(DeviceKind::Gpu, mib(500));
        let both = [(&gpu, Some(footprint(300, 0))), (&gpu, Some(footprint(300, 0)))];
        assert!(fits(&both, &environment).unwrap_err().contains("500 MiB of the device's memory"));
        environment.set("cgroup.memory_limit_bytes", mib(100));
        assert!(fits(&[(&cpu, Some(footprint(0, 100)))], &environment).is_err());
        assert_eq!(fits(&[(&cpu, None)], &environment), Ok(()), "what nobody knows stops nothing");
    }
}
