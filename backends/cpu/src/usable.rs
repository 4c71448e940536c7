//! How many threads may really run at once, and what says so: the affinity mask, a control group's quota, the cores.

use std::num::NonZero;
use std::path::Path;

use crate::topology::Topology;

/// What this process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Usable {
    /// Physical cores: more threads than that share execution units.
    pub(crate) cores: usize,
    /// Logical processors: more threads than that would only wait for each other.
    pub(crate) processors: usize,
    /// Whole processors' worth of time a control group grants.
    pub(crate) quota: Option<usize>,
    /// In words.
    pub(crate) topology: String,
}

impl Usable {
    /// Here and now.
    pub(crate) fn now() -> Usable {
        let Some((allowed, topology)) = here() else {
            let all = std::thread::available_parallelism().map_or(1, NonZero::get);
            let topology = format!("{all} processors");
            return Usable { cores: all, processors: all, quota: None, topology };
        };
        Usable {
            cores: topology.core_count(),
            processors: allowed.len(),
            quota: quota(Path::new("/")),
            topology: topology.describe(),
        }
    }

    /// Threads for so many asked.
    pub(crate) fn threads(&self, asked: Option<usize>) -> usize {
        let most = self.quota.unwrap_or(usize::MAX);
        asked.unwrap_or(self.cores).min(self.processors).min(most).max(1)
    }

    /// How the number came about.
    pub(crate) fn explain(&self, asked: Option<usize>) -> String {
        let granted = self.threads(asked);
        let quota = self.quota.filter(|&quota| quota < self.processors);
        let limit = match quota {
            Some(quota) => format!("the control group's quota is {quota} processors"),
            None => format!("the process may use {} processors", self.processors),
        };
        match asked {
            Some(asked) if asked != granted => {
                format!("{granted} of {asked} asked: {limit} ({})", self.topology)
            }
            Some(_) => format!("{granted} as asked ({})", self.topology),
            None if granted < self.cores => format!("{granted}: {limit} ({})", self.topology),
            None => format!("{granted}, one a core ({})", self.topology),
        }
    }
}

/// The processors of the affinity mask, where the system tells.
#[cfg(target_os = "linux")]
pub(crate) fn here() -> Option<(Vec<usize>, Topology)> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let all = sched_getaffinity(None).ok()?;
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
    let topology = Topology::read(Path::new("/sys/devices"), &allowed);
    Some((allowed, topology))
}

/// Nothing is known of other systems.
#[cfg(not(target_os = "linux"))]
pub(crate) fn here() -> Option<(Vec<usize>, Topology)> {
    None
}

/// The smallest quota of the control groups this process is in, version 1 or 2, in whole processors, at least one.
fn quota(root: &Path) -> Option<usize> {
    let text = |path: &Path| std::fs::read_to_string(path).ok();
    let groups = text(&root.join("proc/self/cgroup"))?;
    let mut smallest: Option<f64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let of = |folder: &Path| match controllers {
            "" => ratio(text(&folder.join("cpu.max"))?.split_whitespace()),
            _ => {
                let number = |file: &str| text(&folder.join(file));
                let (quota, period) = (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?);
                ratio([quota.trim(), period.trim()].into_iter())
            }
        };
        let mount = match controllers {
            "" => "sys/fs/cgroup".to_owned(),
            _ if controllers.split(',').any(|name| name == "cpu") => {
                format!("sys/fs/cgroup/{controllers}")
            }
            _ => continue,
        };
        let mount = root.join(mount);
        // A group is bound by its parents too; in a container the path may be one of the host's: then only the top is there.
        let mut folder = mount.join(path.trim_start_matches('/'));
        while folder.starts_with(&mount) {
            smallest = [smallest, of(&folder)].into_iter().flatten().reduce(f64::min);
            if !folder.pop() {
                break;
            }
        }
    }
    smallest.map(|quota| (quota as usize).max(1))
}

/// Quota by period; none where it says "max" or -1.
fn ratio<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<f64> {
    let quota: f64 = words.next()?.parse().ok()?;
    let period: f64 = words.next()?.parse().ok()?;
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable(cores: usize, processors: usize, quota: Option<usize>) -> Usable {
        Usable { cores, processors, quota, topology: "a machine".into() }
    }

    #[test]
    fn threads_are_a_core_each_and_never_more_than_are_granted() {
        for (cores, processors, quota, asked, expected) in [
            (4, 8, None, None, 4),
            (4, 8, None, Some(6), 6),
            (4, 8, None, Some(64), 8),
            (4, 8, Some(2), None, 2),
            (4, 8, Some(2), Some(4), 2),
            (2, 2, Some(9), Some(1), 1),
            (1, 1, None, Some(0), 1),
        ] {
            assert_eq!(usable(cores, processors, quota).threads(asked), expected);
        }
    }

    #[test]
    fn fewer_than_asked_says_why() {
        for (usable, asked, expected) in [
            (usable(2, 2, None), Some(4), "2 of 4 asked: the process may use 2 processors"),
            (usable(4, 8, Some(3)), Some(4), "3 of 4 asked: the control group's quota is 3"),
            (usable(4, 8, Some(3)), None, "3: the control group's quota is 3"),
            (usable(4, 8, None), Some(2), "2 as asked"),
            (usable(4, 8, None), None, "4, one a core"),
        ] {
            let text = usable.explain(asked);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn quotas_of_both_versions_and_of_parents_are_found() {
        type Files = &'static [(&'static str, &'static str)];
        let cases: &[(&str, Files, Option<usize>)] = &[
            (
                "none",
                &[("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/cpu.max", "max 100000\n")],
                None,
            ),
            (
                "v2",
                &[("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/cpu.max", "250000 100000\n")],
                Some(2),
            ),
            (
                "parent",
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/b/cpu.max", "800000 100000\n"),
                    ("sys/fs/cgroup/a/cpu.max", "50000 100000\n"),
                ],
                Some(1),
            ),
            (
                "v1",
                &[
                    ("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/c\n"),
                    ("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "400000\n"),
                    ("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n"),
                ],
                Some(4),
            ),
            (
                "container",
                &[("proc/self/cgroup", "0::/../x\n"), ("sys/fs/cgroup/cpu.max", "300000 100000\n")],
                Some(3),
            ),
            (
                "broken",
                &[("proc/self/cgroup", "nonsense\n0::\n"), ("sys/fs/cgroup/cpu.max", "x y\n")],
                None,
            ),
            ("absent", &[("x", "")], None),
        ];
        for (name, files, expected) in cases {
            let root = std::env::temp_dir().join(format!("quota-{name}-{}", std::process::id()));
            for (path, text) in *files {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            assert_eq!(quota(&root), *expected, "{name}");
            std::fs::remove_dir_all(root).unwrap();
        }
    }

    #[test]
    fn this_machine_has_at_least_one_of_each() {
        let usable = Usable::now();
        assert!(usable.cores >= 1 && usable.processors >= usable.cores, "{usable:?}");
        assert!(usable.threads(None) >= 1);
    }
}
