//! RAPL through perf events: the same counters of x86 processors where powercap may not be read or is not there, for who may open
//! events of a whole processor (perf_event_paranoid 0 or less, or CAP_PERFMON).
//!
//! The PMU `power` names its events (`energy-pkg`, `energy-ram`, ...), their scale in joules, and in `cpumask` one processor of each
//! package. The kernel adds the hardware's 32 bits up to 64, so that nothing wraps.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::counter::{Counter, Kind};
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor};
use crate::Root;
use crate::probe::Learnt;

pub(super) const ENTRY: Entry = Entry {
    name: "perf-rapl",
    measures: "the same energy through perf events, where powercap may not be read",
    could: &[Quantity::ProcessorEnergy, Quantity::MachinePower],
    absent: (
        "perf_rapl_package_joules",
        About { unit: "J", source: SOURCE, scope: "package", better: LESS },
    ),
    open: |root| Ok(Box::new(PerfRapl::open(root)?)),
};

const PMU: &str = "/sys/bus/event_source/devices/power";
const POWERCAP: &str = "/sys/class/powercap/intel-rapl:0/energy_uj";
const SOURCE: &str = "perf event of the PMU power, updated about every ms";
const LESS: Option<Direction> = Some(Direction::Lower);
const PERMISSION: &str = "sudo sysctl kernel.perf_event_paranoid=0 (until the next boot)";
/// Events by name, what they cover, and the watts it cannot draw.
const EVENTS: [(&str, &str, f64); 5] = [
    ("energy-pkg", "package", 2000.0),
    ("energy-psys", "psys", 4000.0),
    ("energy-cores", "core", 2000.0),
    ("energy-gpu", "uncore", 1000.0),
    ("energy-ram", "dram", 1000.0),
];
/// Packages of a machine at most.
const MOST_PACKAGES: usize = 64;

/// What tells a counter's value.
type Source = Box<dyn FnMut() -> Learnt<u64> + Send>;

/// See the file's head.
struct PerfRapl {
    domains: Vec<Domain>,
}

struct Domain {
    /// `package_0`
    name: String,
    scope: &'static str,
    source: Source,
    counter: Counter,
}

impl PerfRapl {
    fn open(root: &Root) -> Result<PerfRapl, Missing> {
        if root.number(POWERCAP).is_ok() && !root.denies(POWERCAP) {
            return Err(Missing::new("powercap tells the same counters", None));
        }
        let packages = packages(root).map_err(|reason| Missing::new(reason, None))?;
        let (mut domains, mut refused) = (Vec::new(), None);
        for (event, scope, most_watts) in EVENTS {
            // Not every processor has every event.
            let Ok(joules) = scale(root, event) else { continue };
            for (place, &cpu) in packages.iter().enumerate() {
                match events::open(event, cpu) {
                    Ok(source) => {
                        domains.push(domain((scope, place), joules, most_watts, source));
                    }
                    Err(reason) => refused = Some(format!("{event}: {reason}")),
                }
            }
        }
        if domains.is_empty() {
            let reason = refused.unwrap_or_else(|| format!("{PMU}/events has no energy event"));
            return Err(Missing::new(reason, Some(PERMISSION)));
        }
        Ok(PerfRapl { domains })
    }
}

fn domain(
    (scope, place): (&'static str, usize),
    joules: f64,
    most_watts: f64,
    source: Source,
) -> Domain {
    let kind = Kind { joules, range: Ok(u64::MAX), most_watts, update: Duration::from_millis(1) };
    Domain { name: format!("{scope}_{place}"), scope, source, counter: Counter::new(kind) }
}

/// One processor of each package.
fn packages(root: &Root) -> Learnt<Vec<usize>> {
    let mask = root.line(&format!("{PMU}/cpumask"))?;
    let wrong = || format!("{PMU}/cpumask: found {mask:?}, expected numbers and ranges");
    let mut all = Vec::new();
    for part in mask.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let (Some(from), Some(to)) = (number(from), number(to)) else { return Err(wrong()) };
        all.extend((from..=to).take(MOST_PACKAGES + 1));
    }
    match all.len() {
        1..=MOST_PACKAGES => Ok(all),
        _ => Err(wrong()),
    }
}

/// Joules of a unit.
fn scale(root: &Root, event: &str) -> Learnt<f64> {
    let path = format!("{PMU}/events/{event}");
    let unit = root.line(&format!("{path}.unit"))?;
    if unit.trim() != "Joules" {
        return Err(format!("{path}.unit: found {unit:?}, expected Joules"));
    }
    let text = root.line(&format!("{path}.scale"))?;
    let scale: Option<f64> = text.trim().parse().ok();
    scale
        .filter(|scale| *scale > 0.0 && *scale < 1.0)
        .ok_or_else(|| format!("{path}.scale: found {text:?}, expected joules of a unit"))
}

impl Sensor for PerfRapl {
    fn begin(&mut self, _pid: u32) {
        self.domains.iter_mut().for_each(|domain| domain.counter.begin());
    }

    fn sample(&mut self, at: Duration) {
        for domain in &mut self.domains {
            let value = (domain.source)();
            domain.counter.take(at, value);
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        self.domains.iter().flat_map(Domain::readings).collect()
    }

    fn health(&mut self) -> Health {
        let (mut answer, mut silent, mut provides) = (Vec::new(), None, Vec::new());
        for domain in &mut self.domains {
            match (domain.source)() {
                Ok(_) => {
                    answer.push(domain.name.clone());
                    match domain.scope {
                        "package" => provides.push(Quantity::ProcessorEnergy),
                        "psys" => provides.push(Quantity::MachinePower),
                        _ => {}
                    }
                }
                Err(reason) => silent = Some(Missing::new(reason, Some(PERMISSION))),
            }
        }
        let status = match (answer.is_empty(), silent) {
            (false, _) => Ok(answer.join(", ")),
            (true, silent) => Err(silent.unwrap_or_else(|| Missing::new("no event answers", None))),
        };
        Health { status, provides }
    }
}

impl Domain {
    fn readings(&self) -> [Reading; 2] {
        let energy =
            self.counter.energy().map_err(|reason| format!("perf {}: {reason}", self.name));
        let about = |unit| About { unit, source: SOURCE, scope: self.scope, better: LESS };
        [
            about("J").observed(
                format!("perf_rapl_{}_joules", self.name),
                energy.clone().map(|e| e.in_joules()),
            ),
            about("W")
                .observed(format!("perf_rapl_{}_watts", self.name), energy.map(|e| e.in_watts())),
        ]
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod events {
    use perf_event::Builder;
    use perf_event::events::Dynamic;

    use super::Source;
    use crate::probe::Learnt;

    /// A counter of this event on this processor, of every process.
    pub(super) fn open(event: &str, cpu: usize) -> Learnt<Source> {
        let counter = || {
            let mut builder = Dynamic::builder("power")?;
            builder.event(event)?;
            let event = builder.build()?;
            let mut counter = Builder::new(event).any_pid().one_cpu(cpu).build()?;
            counter.enable()?;
            std::io::Result::Ok(counter)
        };
        let mut counter = counter().map_err(|error| format!("perf_event_open: {error}"))?;
        Ok(Box::new(move || counter.read().map_err(|error| format!("perf event: {error}"))))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod events {
    use super::Source;
    use crate::probe::Learnt;

    pub(super) fn open(_event: &str, _cpu: usize) -> Learnt<Source> {
        Err("perf events are Linux's".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::tests::{reason, value, write};
    use super::*;

    const SCALE: f64 = 2.328_306_436_538_696_3e-10;

    fn tree(files: &[(&str, &str)]) -> TempDir {
        let tree = TempDir::new().unwrap();
        for (name, text) in files {
            write(tree.path(), &format!("{PMU}/{name}"), text);
        }
        tree
    }

    /// 90 W for 2 s, and one that fails from the middle on.
    #[test]
    fn energy_is_the_scaled_growth_and_a_lost_event_a_reason() {
        let mut ticks = 0_u64;
        let steady: Source = Box::new(move || {
            ticks += (90.0 * 0.2 / SCALE) as u64;
            Ok(u64::from(u32::MAX) - 5 + ticks)
        });
        let mut reads = 0;
        let lost: Source = Box::new(move || {
            reads += 1;
            if reads > 5 {
                Err("perf event: no such device".to_owned())
            } else {
                Ok(reads * 1_000_000_000)
            }
        });
        let mut sensor = PerfRapl {
            domains: vec![
                domain(("package", 0), SCALE, 2000.0, steady),
                domain(("dram", 0), SCALE, 1000.0, lost),
            ],
        };
        sensor.begin(7);
        for step in 0..=10 {
            sensor.sample(Duration::from_millis(200 * step));
        }
        let readings = sensor.finish();
        assert!((value(&readings, "perf_rapl_package_0_joules") - 180.0).abs() < 1e-3);
        assert!((value(&readings, "perf_rapl_package_0_watts") - 90.0).abs() < 1e-3);
        assert!(reason(&readings, "perf_rapl_dram_0_joules").contains("no such device"));
        assert_eq!(sensor.health().provides, [Quantity::ProcessorEnergy]);
    }

    #[test]
    fn masks_and_scales_are_read_or_refused_with_their_place() {
        let good = tree(&[
            ("cpumask", "0,24-25\n"),
            ("events/energy-pkg.unit", "Joules\n"),
            ("events/energy-pkg.scale", "2.3283064365386962890625e-10\n"),
            ("events/energy-ram.unit", "Hertz\n"),
            ("events/energy-ram.scale", "1\n"),
        ]);
        let root = Root::new(good.path());
        assert_eq!(packages(&root).unwrap(), [0, 24, 25]);
        assert!((scale(&root, "energy-pkg").unwrap() - SCALE).abs() < 1e-20);
        assert!(scale(&root, "energy-ram").unwrap_err().contains("expected Joules"));
        assert!(scale(&root, "energy-gpu").is_err());
        for mask in ["", "all", "0-99999999", "5-1"] {
            let root = tree(&[("cpumask", mask)]);
            assert!(packages(&Root::new(root.path())).is_err(), "{mask:?}");
        }
    }

    #[test]
    fn where_powercap_answers_it_is_not_counted_twice_and_where_nothing_is_it_says_so() {
        let both = tree(&[("cpumask", "0\n")]);
        write(both.path(), POWERCAP, "123456\n");
        let missing = PerfRapl::open(&Root::new(both.path())).err().unwrap();
        assert!(missing.reason.contains("powercap tells the same"), "{missing:?}");
        let none = TempDir::new().unwrap();
        assert!(PerfRapl::open(&Root::new(none.path())).err().unwrap().reason.contains("cpumask"));
        // A tree of files is no PMU: the kernel is asked, and has none of that name or refuses.
        let denied = tree(&[
            ("cpumask", "0\n"),
            ("events/energy-pkg.unit", "Joules\n"),
            ("events/energy-pkg.scale", "1e-9\n"),
        ]);
        if let Err(missing) = PerfRapl::open(&Root::new(denied.path())) {
            assert!(missing.fix.unwrap().contains("perf_event_paranoid"));
        }
    }
}
