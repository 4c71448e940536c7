//! The battery's discharge: power of the whole machine while it runs on its battery. Drivers renew it every few seconds to
//! every half minute; while it charges, it tells nothing of the machine.

use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::gauge::Gauge;
use super::hwmon::scaled;
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor, unique, word};
use crate::Root;
use crate::probe::Learnt;

pub(super) const ENTRY: Entry = Entry {
    name: "battery",
    measures: "power of the whole machine on its battery",
    could: &[Quantity::MachinePower],
    absent: ("battery_mean_watts", ABOUT),
    open: |root| Ok(Box::new(Batteries::open(root)?)),
};

const ABOUT: About<'static> = About {
    unit: "W",
    source: "power_supply, discharging; renewed every few seconds",
    scope: "machine",
    better: Some(Direction::Lower),
};
const FOLDER: &str = "/sys/class/power_supply";
const UNPLUG: &str = "measure on the battery: unplug the charger";
/// No battery gives more.
const MOST_WATTS: f64 = 500.0;

/// See the file's head.
struct Batteries {
    root: Root,
    list: Vec<Battery>,
}

struct Battery {
    folder: String,
    name: String,
    power: Gauge,
}

impl Batteries {
    fn open(root: &Root) -> Result<Batteries, Missing> {
        let listed = root.list(FOLDER).map_err(|reason| Missing::new(reason, None))?;
        let (mut list, mut taken): (Vec<Battery>, Vec<String>) = (Vec::new(), Vec::new());
        for own in &listed {
            let folder = format!("{FOLDER}/{own}");
            let is = |file: &str, value: &str| {
                root.line(&format!("{folder}/{file}")).is_ok_and(|found| found == value)
            };
            // A mouse has a battery too.
            if !is("type", "Battery") || is("scope", "Device") {
                continue;
            }
            let name = unique(word("battery"), &taken);
            taken.push(name.clone());
            list.push(Battery { folder, name, power: Gauge::new(0.0..=MOST_WATTS) });
        }
        match list.is_empty() {
            true => Err(Missing::new(format!("{FOLDER} lists no battery of the machine"), None)),
            false => Ok(Batteries { root: root.clone(), list }),
        }
    }
}

impl Battery {
    /// Watts it gives, if it gives any.
    fn watts(&self, root: &Root) -> Learnt<f64> {
        let file = |name: &str| format!("{}/{name}", self.folder);
        let status = root.line(&file("status"))?;
        if status != "Discharging" {
            return Err(format!("{} is {status:?}, not \"Discharging\"", file("status")));
        }
        // Some drivers give the current below 0 while discharging.
        let power = scaled(root, &file("power_now"), 1e-6).or_else(|_| {
            let amperes = scaled(root, &file("current_now"), 1e-6)?;
            Ok::<f64, String>(amperes * scaled(root, &file("voltage_now"), 1e-6)?)
        })?;
        match power.abs() {
            0.0 => Err(format!("{} reads 0 W while discharging", self.folder)),
            watts => Ok(watts),
        }
    }
}

impl Sensor for Batteries {
    fn begin(&mut self, _pid: u32) {
        self.list.iter_mut().for_each(|battery| battery.power.begin());
    }

    fn sample(&mut self, at: Duration) {
        for battery in &mut self.list {
            let watts = battery.watts(&self.root);
            battery.power.take(at, watts);
        }
    }

    fn finish(&mut self) -> Vec<Reading> {
        let readings = |battery: &Battery| {
            let course = battery.power.course();
            [
                ABOUT.observed(
                    format!("{}_mean_watts", battery.name),
                    course.clone().map(|course| course.in_mean()),
                ),
                ABOUT.reading(format!("{}_max_watts", battery.name), course.map(|c| c.most)),
            ]
        };
        self.list.iter().flat_map(readings).collect()
    }

    fn health(&mut self) -> Health {
        let watts = self.list.iter().map(|battery| battery.watts(&self.root));
        match watts.collect::<Result<Vec<f64>, String>>() {
            Ok(watts) => Health {
                status: Ok(format!("discharging at {:.1} W", watts.iter().sum::<f64>())),
                provides: vec![Quantity::MachinePower],
            },
            Err(reason) => {
                Health { status: Err(Missing::new(reason, Some(UNPLUG))), provides: vec![] }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{open, over, reason, value, write};
    use super::*;

    fn battery(tree: &std::path::Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            write(tree, &format!("sys/class/power_supply/BAT0/{file}"), text);
        }
    }

    #[test]
    fn it_is_read_while_it_discharges_and_a_reason_otherwise() {
        let tree = tempfile::TempDir::new().unwrap();
        let tree = tree.path();
        write(tree, "sys/class/power_supply/hidpp_battery_0/type", "Battery");
        write(tree, "sys/class/power_supply/hidpp_battery_0/scope", "Device");
        assert!(open("battery", &Root::new(tree)).err().unwrap().reason.contains("no battery"));
        battery(tree, &[("type", "Battery\n"), ("status", "Discharging\n")]);
        battery(tree, &[("current_now", "-1500000"), ("voltage_now", "12000000")]);
        let mut sensor = open("battery", &Root::new(tree)).unwrap();
        assert_eq!(sensor.health().status, Ok("discharging at 18.0 W".to_owned()));
        let mut more = || battery(tree, &[("power_now", "22000000")]);
        let readings = over(&mut *sensor, &mut [(0, &mut || ()), (1000, &mut more)]);
        assert_eq!(value(&readings, "battery_mean_watts"), 20.0);
        assert_eq!(value(&readings, "battery_max_watts"), 22.0);
        let mut plug = || battery(tree, &[("status", "Charging")]);
        let readings = over(&mut *sensor, &mut [(0, &mut || ()), (1000, &mut plug)]);
        assert!(reason(&readings, "battery_mean_watts").contains("is \"Charging\""));
        assert_eq!(sensor.health().status.unwrap_err().fix.unwrap(), UNPLUG);
        battery(tree, &[("status", "Discharging"), ("power_now", "0")]);
        let readings = over(&mut *sensor, &mut [(0, &mut || ())]);
        assert!(reason(&readings, "battery_mean_watts").contains("0 W while discharging"));
    }
}
