//! The fact sheet of a device: the newest measurement of each limit, kept in the cache. It holds for one device, adapter,
//! program, boot and microcode; another program or machine makes a sheet of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use yardstick_measure::runner::BEST;
use yardstick_record::{Environment, Outcome, Record, Test, Tool};

use super::page::{Entry, Section};

/// What a sheet holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// Device id.
    device: String,
    /// Processor or adapter.
    adapter: String,
    /// Version and commit of the program that measured.
    program: String,
    /// `unknown` where the system does not say.
    microcode: String,
    /// The kernel: an update changes schedulers and mitigations.
    kernel: String,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    test: Test,
    threads: Option<usize>,
    measured: String,
    /// Missing where the device cannot measure it; the reason is in `how`.
    best: Option<f64>,
    median: Option<f64>,
    rounds: usize,
    unit: String,
    how: String,
    /// Outside evidence against it.
    marks: Vec<String>,
    /// Id of its record.
    record: String,
}

/// A device's limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sheet {
    key: Key,
    lines: Vec<Line>,
}

impl Key {
    /// Of a device on this machine under this program.
    pub(super) fn new(device: &str, adapter: &str, tool: &Tool, environment: &Environment) -> Key {
        let text = |name| environment.text(name).unwrap_or_else(|| "unknown".to_owned());
        let commit = tool.commit.value().map_or("", String::as_str);
        Key {
            device: device.to_owned(),
            adapter: adapter.to_owned(),
            program: format!("{} {} {commit}", tool.name, tool.version).trim().to_owned(),
            microcode: text("cpu.microcode"),
            kernel: text("os.kernel"),
        }
    }

    fn path(&self, cache: &Path) -> PathBuf {
        let json = serde_json::to_vec(self).expect("a key is plain data");
        let digest = Sha256::digest(&json);
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        cache.join("ceilings").join(format!("{name}.json"))
    }
}

impl Sheet {
    /// Of a device's records, the last of each limit and number of threads.
    pub(super) fn of(records: &[&Record]) -> Option<Sheet> {
        let first = records.first()?;
        let adapter = first.device.value().map_or("", |device| device.name.as_str());
        let key = Key::new(&first.cell.device, adapter, &first.tool, &first.environment);
        let mut sheet = Sheet { key, lines: Vec::new() };
        records.iter().for_each(|record| sheet.put(line(record)));
        Some(sheet)
    }

    fn put(&mut self, line: Line) {
        let same = |other: &Line| (other.test, other.threads) == (line.test, line.threads);
        match self.lines.iter_mut().find(|other| same(other)) {
            Some(other) => *other = line,
            None => self.lines.push(line),
        }
    }

    /// What the cache has for a key. A damaged sheet is none: it can be measured again.
    pub(super) fn read(cache: &Path, key: &Key) -> Option<Sheet> {
        let text = std::fs::read(key.path(cache)).ok()?;
        let sheet: Sheet = serde_json::from_slice(&text).ok()?;
        (sheet.key == *key).then_some(sheet)
    }

    /// Keeps it, with the lines of an older sheet that were not measured anew.
    pub(super) fn write(&self, cache: &Path) -> Result<()> {
        let mut whole = Sheet::read(cache, &self.key)
            .unwrap_or_else(|| Sheet { key: self.key.clone(), lines: Vec::new() });
        self.lines.iter().for_each(|line| whole.put(line.clone()));
        let path = self.key.path(cache);
        let text = serde_json::to_string_pretty(&whole)?;
        // A name of its own, then a rename: two that measure at once cannot mix their sheets.
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let wrote = std::fs::create_dir_all(cache.join("ceilings"))
            .and_then(|()| std::fs::write(&beside, text))
            .and_then(|()| std::fs::rename(&beside, &path));
        wrote.with_context(|| format!("cannot keep the fact sheet {}", path.display()))
    }
}

fn line(record: &Record) -> Line {
    let reading = record.reading(BEST);
    let (median, rounds) = (median(record), record.samples.len());
    let mut marks: Vec<String> =
        record.samples.first().map(|s| s.marks.clone()).unwrap_or_default();
    marks.sort();
    let why = match &record.outcome {
        Outcome::Ok => None,
        Outcome::Failed { message: reason, .. }
        | Outcome::Skipped { reason, .. }
        | Outcome::Invalid { reason } => Some(reason.clone()),
    };
    Line {
        test: record.cell.test,
        threads: record.cell.options.threads,
        measured: record.started.clone(),
        best: reading.and_then(|r| r.value.value().copied()).filter(|_| why.is_none()),
        median: median.filter(|_| why.is_none()),
        rounds,
        unit: reading.map(|r| r.unit.clone()).unwrap_or_default(),
        how: why.or_else(|| reading.map(|r| r.source.clone())).unwrap_or_default(),
        marks,
        record: record.id.clone(),
    }
}

/// Of the rounds, in the unit of the limit.
fn median(record: &Record) -> Option<f64> {
    let Test::Limit(limit) = record.cell.test else { return None };
    let each = |s: &yardstick_record::Sample| match limit.is_latency() {
        true => s.nanoseconds as f64 / s.tokens as f64,
        false => s.tokens as f64 * 1e9 / s.nanoseconds as f64,
    };
    let mut values: Vec<f64> = record.samples.iter().map(each).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) =
        (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

/// The section of the doctor's page.
pub(super) fn section(sheets: &[Sheet]) -> Section {
    let entry = |name: String, text| Entry { name, word: "", text };
    let mut entries = Vec::new();
    for sheet in sheets {
        let newest = sheet.lines.iter().map(|line| line.measured.as_str()).max().unwrap_or("never");
        let newest: String = newest.chars().take(19).collect::<String>().replace('T', " ");
        let heading = format!("measured {newest} UTC: best round, in brackets the median");
        entries.push(entry(sheet.key.device.clone(), vec![heading]));
        let mut tests: Vec<Test> = Vec::new();
        sheet.lines.iter().for_each(|line| {
            if !tests.contains(&line.test) {
                tests.push(line.test);
            }
        });
        for test in tests {
            let lines = sheet.lines.iter().filter(|line| line.test == test);
            entries.push(entry(test.to_string(), words(&lines.collect::<Vec<_>>())));
        }
    }
    Section { title: "Ceilings".to_owned(), entries }
}

/// `1 thread 44.1 GB/s (43.8), 2 threads ...`, then how.
fn words(lines: &[&Line]) -> Vec<String> {
    let mut reached = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for line in lines {
        let threads = match line.threads {
            Some(1) => "1 thread".to_owned(),
            Some(n) => format!("{n} threads"),
            None => "all threads".to_owned(),
        };
        let note = match (line.best, line.median) {
            (Some(best), Some(median)) => {
                let busy = if line.marks.is_empty() { "" } else { " BUSY" };
                let (best, unit) = scaled(best, &line.unit);
                let (median, _) = scaled(median, &line.unit);
                reached.push(format!("{threads} {best} {unit} ({median}){busy}"));
                let marks = line.marks.iter().map(|mark| format!("; {mark}")).collect::<String>();
                // The whole text, caches and all, is in the record.
                let how = line.how.split("; ").next().unwrap_or_default();
                format!("{threads}: {how}{marks}")
            }
            _ => format!("{threads}: {}", line.how),
        };
        notes.push(note);
    }
    // The same reason for every number of threads is said once.
    let bare = |note: &String| note.split_once(": ").map(|(_, how)| how.to_owned());
    let first = notes.first().and_then(bare);
    if notes.len() > 1 && notes.iter().all(|note| bare(note) == first) {
        notes = first.into_iter().collect();
    }
    let numbers = (!reached.is_empty()).then(|| reached.join(", "));
    numbers.into_iter().chain(notes).collect()
}

fn scaled(value: f64, unit: &str) -> (String, &'static str) {
    let (value, unit) = match unit {
        "bytes/s" => (value / 1e9, "GB/s"),
        "operations/s" => (value / 1e9, "GOP/s"),
        _ if value >= 1e4 => (value / 1e3, "µs"),
        _ => (value, "ns"),
    };
    (if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_line(test: &str, threads: usize, best: Option<f64>, marks: &[&str]) -> Line {
        Line {
            test: Test::try_from(test.to_owned()).unwrap(),
            threads: Some(threads),
            measured: "2026-11-21T01:02:03Z".into(),
            best,
            median: best.map(|best| best * 0.9),
            rounds: 6,
            unit: "bytes/s".into(),
            how: "by hand".into(),
            marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
            record: "id".into(),
        }
    }

    fn sheet(lines: Vec<Line>) -> Sheet {
        let key = Key {
            device: "cpu:x".into(),
            adapter: "a".into(),
            program: "yardstick 1".into(),
            microcode: "unknown".into(),
            kernel: "6".into(),
        };
        Sheet { key, lines }
    }

    #[test]
    fn a_sheet_keeps_what_was_not_measured_anew_and_belongs_to_its_key() {
        let cache = tempfile::tempdir().unwrap();
        let (small, large) = ("read@1MiB", "read@1GiB");
        sheet(vec![a_line(small, 1, Some(1e9), &[]), a_line(large, 1, Some(2e9), &[])])
            .write(cache.path())
            .unwrap();
        let new = sheet(vec![a_line(small, 1, Some(3e9), &[]), a_line(small, 2, None, &[])]);
        new.write(cache.path()).unwrap();
        let kept = Sheet::read(cache.path(), &new.key).unwrap();
        let best: Vec<_> = kept.lines.iter().map(|line| line.best).collect();
        assert_eq!(best, [Some(3e9), Some(2e9), None]);
        let other = Key { microcode: "0x2".into(), ..new.key.clone() };
        assert_eq!(Sheet::read(cache.path(), &other), None);
        std::fs::write(new.key.path(cache.path()), "{").unwrap();
        assert_eq!(Sheet::read(cache.path(), &new.key), None, "damaged");
    }

    #[test]
    fn the_page_tells_best_median_how_and_a_busy_machine() {
        let lines = vec![
            a_line("read@1MiB", 1, Some(44.1e9), &[]),
            a_line("read@1MiB", 2, Some(88e9), &["starved: other processes 60 %"]),
            a_line("peak-f16", 1, None, &[]),
            a_line("peak-f16", 2, None, &[]),
        ];
        let section = section(&[sheet(lines)]);
        let texts: Vec<String> = section.entries.iter().map(|e| e.text.join(" | ")).collect();
        assert!(texts[0].contains("2026-11-21 01:02:03 UTC"), "{}", texts[0]);
        let expected = "1 thread 44.1 GB/s (39.7), 2 threads 88.0 GB/s (79.2) BUSY";
        assert!(texts[1].starts_with(expected), "{}", texts[1]);
        assert!(texts[1].contains("starved: other processes 60 %"), "{}", texts[1]);
        assert_eq!(texts[2], "by hand", "said once");
    }
}
