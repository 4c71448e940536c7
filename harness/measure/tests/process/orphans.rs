//! Nothing outlives a run: not when it is cancelled, not when the parent is killed.

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use yardstick_measure::runner::{RunError, Sink};
use yardstick_record::{FailureKind, Record};

use crate::bench::{Bench, Kept};

/// Live processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| stat(*id).is_some_and(|(state, of)| of == parent && state != 'Z')).collect()
}

/// State and parent of a process.
fn stat(id: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a test left no process behind.
pub(crate) fn none(test: &str) -> bool {
    let left = children(std::process::id());
    if !left.is_empty() {
        println!("{test} left processes behind: {left:?}");
    }
    left.is_empty()
}

/// A duration that nobody else sleeps.
const SLEEP: &str = "98765.4321";

/// Starts a process that leaves its group and its session.
pub(crate) fn start() {
    let mut start = Command::new("setsid");
    start.args(["sleep", SLEEP]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(start.spawn());
}

/// No process that was started so is left.
pub(crate) fn none_sleeps() {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    let line = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("cmdline")).ok();
    let left = processes.filter_map(|entry| line(entry.ok()?)).filter(|line| line.contains(SLEEP));
    assert_eq!(left.count(), 0, "a process outlived the worker that started it");
}

pub(crate) fn cancelled() {
    let mut bench = Bench::new(&["null:ok", "null:hang"], &["tg4", "pp8"], false);
    bench.suite = bench.suite.replace("warm_up = 60", "warm_up = 600");
    let mut kept = Kept::default();
    let start = Instant::now();
    let summary = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The first device takes well under two seconds, the second for ever.
            std::thread::sleep(Duration::from_secs(4));
            bench.cancel.store(true, Ordering::Relaxed);
        });
        bench.run_into(&mut kept).unwrap()
    });
    assert!(summary.interrupted);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let interrupted = kept.records.iter().filter(|record| record.cell.device == "null:hang");
    let outcomes: Vec<_> = interrupted.map(|record| record.outcome.clone()).collect();
    assert_eq!(
        outcomes.len(),
        1,
        "the cell under way is recorded, the others are left to a resumed run"
    );
    let test = kept.records.last().unwrap().cell.test.to_string();
    assert_eq!(kept.failure("null:hang", &test).0, &FailureKind::Interrupted);
}

/// A store that takes one record.
struct Full(usize);

impl Sink for Full {
    fn record(&mut self, _: Record) -> Result<(), String> {
        self.0 += 1;
        if self.0 > 1 { Err("no space left on device".to_owned()) } else { Ok(()) }
    }
}

pub(crate) fn full_store() {
    let mut full = Full(0);
    let error = Bench::new(&["null:ok"], &["tg4", "pp8", "load"], false).run_into(&mut full);
    assert!(matches!(&error, Err(RunError::Store(why)) if why.contains("no space")), "{error:?}");
    assert_eq!(full.0, 2, "the run went on after a record was lost");
}

/// The other program of `parent_killed`: a run that never ends by itself.
pub(crate) fn parent() -> ExitCode {
    let mut bench = Bench::new(&["null:hang"], &["tg4"], false);
    bench.suite = bench.suite.replace("warm_up = 60", "warm_up = 600");
    bench.run();
    ExitCode::SUCCESS
}

pub(crate) fn parent_killed() {
    if !fs::exists("/proc/self/stat").unwrap_or(false) {
        println!("skipped: no /proc to find processes in");
        return;
    }
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .arg("parent-of-hanging")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (mut worker, mut since) = (0, Instant::now());
    // Its first workers list devices and plan; the one that stays is the one that hangs.
    eventually("no worker came to stay", || {
        let now = children(parent.id()).first().copied().unwrap_or(0);
        if now != worker || now == 0 {
            (worker, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_millis(700)
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the worker outlived its parent", || {
        stat(worker).is_none_or(|(state, _)| state == 'Z')
    });
}
