//! Inside a control group with limits: the threads are those the quota grants, and the record has both limits. Where groups cannot be
//! made here, that is said and nothing is asserted.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use support::Place;
use yardstick_record::Record;

/// Half a second of CPU time a second more than one processor: one whole one is left.
const PERIOD_US: u32 = 100_000;
const QUOTA_US: u32 = 150_000;
const MEMORY: u64 = 4 << 30;

/// A control group of this test's own, removed with it.
struct Group {
    folders: Vec<PathBuf>,
}

impl Group {
    /// Of version 2 or 1; why not, where none can be made.
    fn new() -> Result<Group, String> {
        let top = Path::new("/sys/fs/cgroup");
        let name = format!("yardstick-test-{}", std::process::id());
        let mut group = Group { folders: Vec::new() };
        let limits: Vec<(PathBuf, Vec<(&str, String)>)> = match top.join("cgroup.procs").exists() {
            true => vec![(
                top.join(&name),
                vec![
                    ("cpu.max", format!("{QUOTA_US} {PERIOD_US}")),
                    ("memory.max", MEMORY.to_string()),
                ],
            )],
            false => vec![
                (
                    top.join("cpu").join(&name),
                    vec![
                        ("cpu.cfs_period_us", PERIOD_US.to_string()),
                        ("cpu.cfs_quota_us", QUOTA_US.to_string()),
                    ],
                ),
                (
                    top.join("memory").join(&name),
                    vec![("memory.limit_in_bytes", MEMORY.to_string())],
                ),
            ],
        };
        for (folder, files) in limits {
            std::fs::create_dir(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
            group.folders.push(folder.clone());
            for (file, value) in files {
                let path = folder.join(file);
                std::fs::write(&path, value)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        Ok(group)
    }

    /// A shell's words that put it into the group.
    fn enter(&self) -> String {
        let enter = |folder: &PathBuf| format!("echo $$ > '{}/cgroup.procs' && ", folder.display());
        self.folders.iter().map(enter).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

#[test]
fn a_quota_and_a_memory_limit_are_kept_to_and_told() {
    let group = match Group::new() {
        Ok(group) => group,
        Err(why) => {
            println!("skipped: no control group can be made here: {why}");
            return;
        }
    };
    let place = Place::new();
    let program = assert_cmd::cargo::cargo_bin("yardstick");
    let run = "run --json -d cpu -m tiny:Q4_0 -t tg4 --repetitions 2 --seed 7";
    let script = format!("{}exec '{}' {run}", group.enter(), program.display());
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .env("YARDSTICK_DATA", place.path("data"))
        .env("YARDSTICK_CACHE", support::cache())
        .env_remove("YARDSTICK_STORE")
        .output()
        .unwrap();
    let (code, out, err) = support::ended(output);
    if err.contains("cgroup.procs") {
        println!("skipped: no process can be put into a control group here: {err}");
        return;
    }
    assert_eq!(code, 0, "{err}");
    let record = Record::from_json(out.lines().next().unwrap()).unwrap();
    let facts = record.facts.value().unwrap();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(facts.threads.value(), Some(&1), "a quota of 1.5 grants one whole processor");
    let notes = serde_json::to_string(&facts.notes).unwrap();
    assert!(
        processors == 1 || notes.contains("the control group's quota is 1 processors"),
        "{notes}"
    );
    let field = |name: &str| record.environment.text(name).unwrap();
    assert_eq!(field("cgroup.cpu_limit_cores"), "1.5");
    assert_eq!(field("cgroup.memory_limit_bytes").parse::<f64>().unwrap(), MEMORY as f64);
}
