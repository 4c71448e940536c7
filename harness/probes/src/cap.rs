//! A cap on the processor's clock or power, for one run. Every value it replaces is first written back as it is: where that
//! is not allowed, or does not hold, nothing is changed. It is restored when it is dropped.

use crate::Root;
use crate::probe::Learnt;

/// What is capped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CapKind {
    /// The clock of every CPU, MHz.
    Clock(f64),
    /// The long-term power of every package, watts.
    Power(f64),
}

/// A cap that is in place until it is dropped.
#[derive(Debug)]
pub struct Cap {
    root: Root,
    /// Files, and what they held before.
    before: Vec<(String, String)>,
}

const CPUFREQ: &str = "/sys/devices/system/cpu/cpufreq";
const POWERCAP: &str = "/sys/class/powercap";
/// The hardware rounds to its own steps: a cap that is off by more did not hold.
const ROUNDING: f64 = 0.05;

impl CapKind {
    /// Files to write, and the value in their unit: kHz, µW.
    fn files(self, root: &Root) -> Learnt<(Vec<String>, u64)> {
        let (folder, start, file, value) = match self {
            CapKind::Clock(mhz) => (CPUFREQ, "policy", "scaling_max_freq", mhz * 1e3),
            CapKind::Power(watts) => {
                (POWERCAP, "intel-rapl:", "constraint_0_power_limit_uw", watts * 1e6)
            }
        };
        // `intel-rapl:0:1` is a part of a package; psys holds the packages.
        let is_whole = |name: &&String| {
            name.starts_with(start)
                && name.matches(':').count() <= 1
                && !root.line(&format!("{folder}/{name}/name")).is_ok_and(|name| name == "psys")
        };
        let files: Vec<String> = root
            .list(folder)?
            .iter()
            .filter(is_whole)
            .map(|name| format!("{folder}/{name}/{file}"))
            .collect();
        match files.is_empty() {
            true => Err(format!("{folder} lists nothing that could be capped")),
            false => Ok((files, value as u64)),
        }
    }
}

impl Cap {
    /// Sets it; on any refusal everything is as it was.
    pub fn set(root: &Root, kind: CapKind) -> Result<Cap, String> {
        let (files, value) = kind.files(root)?;
        let before = files.into_iter().map(|file| Ok((file.clone(), root.line(&file)?)));
        let before: Vec<(String, String)> = before.collect::<Learnt<_>>()?;
        for (file, held) in &before {
            root.write(file, held).map_err(|why| format!("it could not be restored: {why}"))?;
            if root.line(file)? != *held {
                return Err(format!("it could not be restored: {file} does not keep {held}"));
            }
        }
        // From here on dropping it restores what was written.
        let cap = Cap { root: root.clone(), before };
        for (file, _) in &cap.before {
            root.write(file, &value.to_string())?;
            let now = root.number(file)?;
            if (now as f64 / value as f64 - 1.0).abs() > ROUNDING {
                return Err(format!("{file} holds {now} after {value} was written"));
            }
        }
        Ok(cap)
    }

    /// Restores everything and tells what could not be.
    pub fn restore(mut self) -> Result<(), String> {
        self.put_back()
    }

    fn put_back(&mut self) -> Learnt<()> {
        let mut failed = Ok(());
        for (file, held) in self.before.drain(..) {
            let written = self.root.write(&file, &held);
            failed = failed.and(written.map_err(|why| format!("{why}; it held {held}")));
        }
        failed
    }
}

impl Drop for Cap {
    fn drop(&mut self) {
        // Nobody is left to be told; `restore` tells.
        let _ = self.put_back();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;

    use super::*;

    fn write(tree: &Path, path: &str, text: &str) {
        let path = tree.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn holds(tree: &Path, path: &str) -> String {
        std::fs::read_to_string(tree.join(path)).unwrap().trim().to_owned()
    }

    const POLICY: &str = "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq";
    const PACKAGE: &str = "sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw";
    const PSYS: &str = "sys/class/powercap/intel-rapl:1/constraint_0_power_limit_uw";

    #[test]
    fn a_cap_is_set_everywhere_and_restored() {
        let tree = tempfile::TempDir::new().unwrap();
        let (tree, root) = (tree.path(), Root::new(tree.path()));
        write(tree, POLICY, "4000000\n");
        write(tree, PACKAGE, "65000000\n");
        write(tree, PSYS, "90000000\n");
        write(tree, "sys/class/powercap/intel-rapl:1/name", "psys\n");
        let cap = Cap::set(&root, CapKind::Clock(2000.0)).unwrap();
        assert_eq!(holds(tree, POLICY), "2000000");
        drop(cap);
        assert_eq!(holds(tree, POLICY), "4000000");
        let cap = Cap::set(&root, CapKind::Power(25.0)).unwrap();
        assert_eq!(
            (holds(tree, PACKAGE).as_str(), holds(tree, PSYS).as_str()),
            ("25000000", "90000000")
        );
        cap.restore().unwrap();
        assert_eq!(holds(tree, PACKAGE), "65000000");
    }

    #[test]
    fn what_could_not_be_restored_is_never_changed() {
        let tree = tempfile::TempDir::new().unwrap();
        let (tree, root) = (tree.path(), Root::new(tree.path()));
        let refused = |kind| Cap::set(&root, kind).unwrap_err();
        assert!(refused(CapKind::Clock(2000.0)).contains("does not exist"));
        write(tree, "sys/class/powercap/intel-rapl:0/name", "package-0");
        assert!(refused(CapKind::Power(25.0)).contains("does not exist"), "no limit in the zone");
        // A folder in the file's place may be read by nobody and written by nobody.
        write(tree, POLICY, "4000000");
        std::fs::create_dir_all(tree.join(POLICY.replace("policy0", "policy1"))).unwrap();
        refused(CapKind::Clock(2000.0));
        assert_eq!(holds(tree, POLICY), "4000000");
    }
}
