//! `kill -9` at any moment: no acknowledged record is lost, no half record is seen.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Folder, record};
use crate::{Filter, Store};

/// Set by `ci/nightly.sh` to a larger number.
const ROUNDS: &str = "YARDSTICK_KILL_ROUNDS";

/// The child: appends records until it is killed, and says which ids were acknowledged.
#[test]
fn child_appends_until_killed() {
    let Some(path) = std::env::var_os("YARDSTICK_TEST_KILL") else { return };
    let first: u32 = std::env::var("YARDSTICK_TEST_FIRST").unwrap().parse().unwrap();
    let mut store = Store::open(path.as_ref()).unwrap();
    let mut out = std::io::stdout().lock();
    for launch in first..first + 100_000 {
        let record = record(launch);
        store.append(&record).unwrap();
        writeln!(out, "\nid {}", record.id).unwrap();
    }
}

fn child(path: &Path, first: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::killed::child_appends_until_killed", "--nocapture"])
        .env("YARDSTICK_TEST_KILL", path)
        .env("YARDSTICK_TEST_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// A writer that is going to be killed, and the ids it acknowledged.
struct Writer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    ids: Vec<String>,
}

impl Writer {
    fn new(path: &Path, first: u32) -> Writer {
        let mut child = child(path, first);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Writer { child, lines, ids: Vec::new() }
    }

    /// Reads one more id; the last line may have been cut.
    fn next(&mut self) -> bool {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        let id = lines.find_map(|line| line.strip_prefix("id ").map(str::to_owned));
        let whole = id.filter(|id| id.len() == 64);
        whole.map(|id| self.ids.push(id)).is_some()
    }

    fn killed(mut self) -> Vec<String> {
        while self.next() {}
        self.child.wait().unwrap();
        self.ids
    }
}

/// Up to 10 ms, different in every process and round.
fn moment(round: u32) -> Duration {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    Duration::from_micros(u64::from(clock.wrapping_mul(2_654_435_761) ^ round) % 10_000)
}

#[test]
fn no_acknowledged_record_is_lost_to_sigkill() {
    let rounds: u32 = std::env::var(ROUNDS).ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let folder = Folder::new();
    let mut expected = BTreeSet::new();
    let (mut unacknowledged, mut total) = (0, 0);
    for round in 0..rounds {
        // Every third round two processes write when they are killed.
        let writers = if round % 3 == 0 { 2 } else { 1 };
        let mut writers: Vec<_> = (0..writers)
            .map(|writer| Writer::new(&folder.path(), (round * 2 + writer) * 100_000))
            .collect();
        // Every fourth round they may be killed before their first record, while the store is opened.
        if round % 4 != 0 {
            assert!(writers.iter_mut().all(Writer::next), "a writer stored nothing");
        }
        std::thread::sleep(moment(round));
        writers.iter_mut().for_each(|writer| writer.child.kill().unwrap());
        unacknowledged += writers.len();
        let ids: Vec<_> = writers.into_iter().flat_map(Writer::killed).collect();
        total += ids.len();
        expected.extend(ids);
        check(&folder, &expected, unacknowledged, round);
        if round % 10 == 9 {
            // A small store keeps a thousand rounds quick.
            std::fs::remove_dir_all(folder.path().parent().unwrap()).unwrap();
            expected.clear();
            unacknowledged = 0;
        }
    }
    println!("{rounds} rounds, {total} records acknowledged, none lost");
    assert!(total >= rounds as usize / 2, "the writers were killed before they wrote");
}

/// Every acknowledged id is there, every row is whole, and at most one more record a killed writer.
fn check(folder: &Folder, expected: &BTreeSet<String>, unacknowledged: usize, round: u32) {
    let store = folder.open();
    let sound: String =
        store.connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "round {round}");
    let stored: BTreeSet<_> =
        store.records(&Filter::default()).map(|record| record.unwrap().id).collect();
    let lost: Vec<_> = expected.difference(&stored).collect();
    assert!(lost.is_empty(), "round {round} lost {lost:?}");
    assert!(stored.len() <= expected.len() + unacknowledged, "round {round}");
}
