//! The power chip of a Raspberry Pi 5: amperes and volts of its rails, as `vcgencmd pmic_read_adc` prints them. The sum of
//! the rails is less than what the board draws: the 5 V input and what its converters lose have no ammeter.

use std::process::{Command, Stdio};
use std::time::Duration;

use yardstick_record::{Direction, Reading};

use super::gauge::Gauge;
use super::sensor::{About, Entry, Health, Missing, Quantity, Sensor};
use crate::Root;
use crate::probe::Learnt;

pub(super) const ENTRY: Entry = Entry {
    name: "pmic",
    measures: "power of the rails of a Raspberry Pi 5",
    could: &[Quantity::ProcessorEnergy],
    absent: ("pmic_mean_watts", ABOUT),
    open: |root| Ok(Box::new(Pmic::open(root)?)),
};

const ABOUT: About<'static> = About {
    unit: "W",
    source: "vcgencmd pmic_read_adc, sum of the rails with an ammeter",
    scope: "soc",
    better: Some(Direction::Lower),
};
const MODEL: &str = "/proc/device-tree/model";
const BOARD: &str = "Raspberry Pi 5";
/// Its power supply gives 27.
const MOST_WATTS: f64 = 30.0;

/// See the file's head.
struct Pmic {
    power: Gauge,
}

impl Pmic {
    fn open(root: &Root) -> Result<Pmic, Missing> {
        let absent = || Missing::new("this is no Raspberry Pi 5; older ones have no ammeter", None);
        let model = root.line(MODEL).map_err(|_| absent())?;
        if !model.starts_with(BOARD) {
            return Err(absent());
        }
        if !root.is_machine() {
            return Err(Missing::new("vcgencmd is not asked about a fixture tree", None));
        }
        asked().map_err(|reason| {
            Missing::new(reason, Some("sudo usermod -aG video $USER, and log in again"))
        })?;
        Ok(Pmic { power: Gauge::new(0.0..=MOST_WATTS) })
    }
}

fn asked() -> Learnt<f64> {
    let mut command = Command::new("vcgencmd");
    command.arg("pmic_read_adc").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("vcgencmd: {error}"))?;
    if !output.status.success() {
        return Err(format!("vcgencmd pmic_read_adc: {}", output.status));
    }
    watts(&String::from_utf8_lossy(&output.stdout))
}

/// Watts of the rails that have both: `VDD_CORE_A current(7)=1.5A`, `VDD_CORE_V volt(15)=0.9V`.
fn watts(text: &str) -> Learnt<f64> {
    let find = |rail: &str, unit: char| -> Option<f64> {
        let line = text.lines().map(str::trim).find(|line| {
            line.split_once(' ').is_some_and(|(name, _)| {
                name.strip_suffix(unit).and_then(|name| name.strip_suffix('_')) == Some(rail)
            })
        })?;
        line.split_once('=')?.1.strip_suffix(unit)?.parse().ok()
    };
    let rails = text.lines().filter_map(|line| line.trim().split_once(' ')?.0.strip_suffix("_A"));
    let mut sum = None;
    for rail in rails {
        let product = find(rail, 'A').zip(find(rail, 'V')).map(|(amperes, volts)| amperes * volts);
        let product = product.filter(|watts| (0.0..=MOST_WATTS).contains(watts));
        let product = product.ok_or_else(|| {
            let rail: String = rail.chars().take(32).collect();
            format!("vcgencmd pmic_read_adc: rail {rail:?} has no plausible amperes and volts")
        })?;
        sum = Some(sum.unwrap_or(0.0) + product);
    }
    sum.ok_or_else(|| "vcgencmd pmic_read_adc prints no rail with amperes".to_owned())
}

impl Sensor for Pmic {
    fn begin(&mut self, _pid: u32) {
        self.power.begin();
    }

    fn sample(&mut self, at: Duration) {
        self.power.take(at, asked());
    }

    fn finish(&mut self) -> Vec<Reading> {
        let course = self.power.course();
        vec![
            ABOUT.observed("pmic_mean_watts", course.clone().map(|course| course.in_mean())),
            ABOUT.reading("pmic_max_watts", course.map(|course| course.most)),
        ]
    }

    fn health(&mut self) -> Health {
        match asked() {
            Ok(watts) => Health {
                status: Ok(format!("rails {watts:.2} W")),
                provides: vec![Quantity::ProcessorEnergy],
            },
            Err(reason) => Health { status: Err(Missing::new(reason, None)), provides: vec![] },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rails_with_amperes_and_volts_are_added() {
        let text = "   3V3_SYS_A current(1)=0.5A\n   VDD_CORE_A current(7)=2.0A\n\
            3V3_SYS_V volt(9)=3.3V\n   VDD_CORE_V volt(15)=0.9V\n     EXT5V_V volt(24)=5.1V\n";
        assert!((watts(text).unwrap() - 3.45).abs() < 1e-9);
        for (text, named) in [
            ("", "no rail"),
            ("EXT5V_V volt(24)=5.1V", "no rail"),
            ("A_A current(1)=0.5A", "rail \"A\" has no plausible"),
            ("A_A current(1)=nanA\nA_V volt(2)=1V", "no plausible"),
            ("A_A current(1)=-1A\nA_V volt(2)=1V", "no plausible"),
            ("A_A current(1)=900A\nA_V volt(2)=1V", "no plausible"),
            ("error=1 error_msg=\"x\"", "no rail"),
        ] {
            assert!(watts(text).unwrap_err().contains(named), "{text}");
        }
    }

    #[test]
    fn other_boards_are_told_apart() {
        let tree = tempfile::TempDir::new().unwrap();
        super::super::tests::write(tree.path(), "proc/device-tree/model", "Raspberry Pi 4 Model B");
        let missing = Pmic::open(&Root::new(tree.path())).err().unwrap();
        assert!(missing.reason.contains("no Raspberry Pi 5"), "{missing:?}");
    }
}
