//! The watch: one thread that looks a few times a second at what else the machine does while a test runs, so that a sample
//! can be told from its neighbours by outside evidence and not by its own value.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use yardstick_record::{Reading, Track};

use crate::machine_load::MachineStat;
use crate::process_stat::{ProcessStat, page_bytes};
use crate::sensors::Moments;
use crate::{Error, Probe, Root};

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(200);
/// Looks after which the time between them doubles: a record of an hour is no longer than one of some minutes.
const LOOKS: usize = 300;

/// See the file's head.
pub(crate) struct Watch {
    root: Root,
    running: Option<Running>,
    seen: Option<(Instant, Vec<Track>)>,
}

/// Between start and stop.
struct Running {
    /// Dropped, it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<(Instant, Vec<Track>)>>,
}

impl Watch {
    pub(crate) fn new(root: &Root) -> Watch {
        Watch { root: root.clone(), running: None, seen: None }
    }

    fn end(&mut self) -> Option<(Instant, Vec<Track>)> {
        let Running { stop, thread } = self.running.take()?;
        drop(stop);
        thread?.join().ok()
    }
}

impl Probe for Watch {
    fn name(&self) -> &str {
        "timeline"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        self.end();
        self.seen = None;
        let (stop, stopped) = mpsc::channel::<()>();
        let root = self.root.clone();
        let body = move || {
            let mut looks = Looks::begin(&root, pid);
            let mut period = PERIOD;
            let mut count = 0;
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                looks.look(looks.start.elapsed());
                count += 1;
                if count == LOOKS {
                    (count, period) = (0, period * 2);
                }
            }
            looks.look(looks.start.elapsed());
            (looks.start, looks.tracks)
        };
        let thread = std::thread::Builder::new().name("timeline".to_owned()).spawn(body);
        self.running = Some(Running { stop: Some(stop), thread: thread.ok() });
        Ok(())
    }

    /// Its readings are those of other probes; it only tells when what happened.
    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        if self.running.is_none() {
            return Err(Error::NotStarted { probe: "timeline" });
        }
        self.seen = self.end();
        Ok(Vec::new())
    }

    fn timeline(&mut self) -> Option<(Instant, Vec<Track>)> {
        self.seen.take()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

/// What was seen so far, and the last look.
struct Looks {
    root: Root,
    pid: u32,
    start: Instant,
    moments: Moments,
    machine: Option<MachineStat>,
    process: Option<ProcessStat>,
    throttled: Option<u64>,
    tracks: Vec<Track>,
}

impl Looks {
    fn begin(root: &Root, pid: u32) -> Looks {
        let moments = Moments::open(root);
        Looks {
            root: root.clone(),
            pid,
            start: Instant::now(),
            machine: MachineStat::read(root).ok(),
            process: ProcessStat::read(root, pid).ok(),
            throttled: moments.throttle_events(),
            moments,
            tracks: Vec::new(),
        }
    }

    /// A point on each track. Where too few clock ticks passed to divide them, the span goes on to the next look.
    fn look(&mut self, at: Duration) {
        let (Some(before), Ok(machine)) = (self.machine, MachineStat::read(&self.root)) else {
            return;
        };
        let Ok(passed) = machine.since(&before) else { return };
        self.machine = Some(machine);
        self.add(at, "steal_percent", "%", Some(passed.steal_percent()));
        let later = self.process.and_then(|before| before.read_again(&self.root, self.pid).ok());
        if let (Some(before), Some(later)) = (self.process, later) {
            let ticks = |stat: ProcessStat| stat.user.saturating_add(stat.system);
            let own = ticks(later).saturating_sub(ticks(before));
            self.add(at, "foreign_cpu_percent", "%", Some(passed.foreign_percent(own)));
            self.add(at, "worker_cpu_percent", "%", Some(passed.share_percent(own)));
            let faults = later.major_faults.saturating_sub(before.major_faults);
            self.add(at, "major_faults", "faults", Some(faults as f64));
            let resident = later.resident.map(|pages| pages.saturating_mul(page_bytes()) as f64);
            self.add(at, "resident_bytes", "bytes", resident);
        }
        self.process = later;
        let events = self.moments.throttle_events();
        let new = events.zip(self.throttled).map(|(now, before)| now.saturating_sub(before) as f64);
        self.throttled = events;
        self.add(at, "cpu_throttle_events", "events", new);
        let (clock, heat) = (self.moments.fastest_mhz(), self.moments.hottest_celsius());
        self.add(at, "cpu_clock_fastest_mhz", "MHz", clock);
        self.add(at, "hottest_celsius", "°C", heat);
    }

    fn add(&mut self, at: Duration, name: &str, unit: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        // Milliseconds are all that looks a fifth of a second apart can tell.
        let point = ((at.as_secs_f64() * 1e3).round() / 1e3, (value * 100.0).round() / 100.0);
        match self.tracks.iter_mut().find(|track| track.name == name) {
            Some(track) => track.points.push(point),
            None => {
                let (name, unit) = (name.to_owned(), unit.to_owned());
                self.tracks.push(Track { name, unit, points: vec![point] });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files whose counters a test moves.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Tree {
            Tree(tempfile::tempdir().unwrap())
        }

        fn root(&self) -> Root {
            Root::new(self.0.path())
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        /// Ticks of the machine, of the worker, and the worker's faults so far.
        fn at(&self, [busy, idle, steal]: [u64; 3], own: u64, faults: u64) {
            self.write("proc/stat", &format!("cpu {busy} 0 0 {idle} 0 0 0 {steal} 0 0\n"));
            let stat = format!(
                "7 (w) S 1 2 3 4 5 6 0 0 {faults} 0 {own} 0 0 0 20 0 1 0 99 0 {}",
                10 + faults
            );
            self.write("proc/7/stat", &stat);
        }
    }

    fn points(looks: &Looks, name: &str) -> Vec<(f64, f64)> {
        looks.tracks.iter().find(|track| track.name == name).map_or(vec![], |t| t.points.clone())
    }

    #[test]
    fn every_span_tells_what_others_did_in_it_and_short_ones_are_joined() {
        let tree = Tree::new();
        tree.at([0, 0, 0], 0, 0);
        let mut looks = Looks::begin(&tree.root(), 7);
        tree.at([40, 0, 0], 40, 0);
        looks.look(Duration::from_millis(200));
        // Half of the next span was somebody else's, a tenth stolen, and a page came from disk.
        tree.at([76, 0, 4], 56, 1);
        looks.look(Duration::from_millis(400));
        // Nine ticks are too few; with the next ones they are a span.
        tree.at([85, 0, 4], 65, 1);
        looks.look(Duration::from_millis(450));
        tree.at([116, 0, 4], 96, 1);
        looks.look(Duration::from_millis(650));
        assert_eq!(points(&looks, "foreign_cpu_percent"), [(0.2, 0.0), (0.4, 50.0), (0.65, 0.0)]);
        assert_eq!(points(&looks, "steal_percent"), [(0.2, 0.0), (0.4, 10.0), (0.65, 0.0)]);
        assert_eq!(
            points(&looks, "worker_cpu_percent"),
            [(0.2, 100.0), (0.4, 40.0), (0.65, 100.0)]
        );
        assert_eq!(points(&looks, "major_faults"), [(0.2, 0.0), (0.4, 1.0), (0.65, 0.0)]);
        let pages = points(&looks, "resident_bytes")
            .iter()
            .map(|p| p.1 / page_bytes() as f64)
            .collect::<Vec<_>>();
        assert_eq!(pages, [10.0, 11.0, 11.0]);
        assert!(points(&looks, "hottest_celsius").is_empty(), "what nothing tells has no track");
    }

    #[test]
    fn clocks_heat_and_throttling_are_told_where_the_machine_does() {
        let tree = Tree::new();
        tree.at([0, 0, 0], 0, 0);
        let cpu = "sys/devices/system/cpu/cpu0";
        tree.write(&format!("{cpu}/topology/core_id"), "0\n");
        tree.write(&format!("{cpu}/cpufreq/scaling_cur_freq"), "3100000\n");
        tree.write(&format!("{cpu}/cpufreq/scaling_governor"), "performance\n");
        let counts = |n| {
            for file in ["core_throttle_count", "package_throttle_count"] {
                tree.write(&format!("{cpu}/thermal_throttle/{file}"), n);
            }
        };
        counts("5\n");
        tree.write("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
        tree.write("sys/class/thermal/thermal_zone0/temp", "71500\n");
        let mut looks = Looks::begin(&tree.root(), 7);
        tree.at([40, 0, 0], 40, 0);
        counts("7\n");
        looks.look(Duration::from_millis(200));
        assert_eq!(points(&looks, "cpu_clock_fastest_mhz"), [(0.2, 3100.0)]);
        assert_eq!(points(&looks, "hottest_celsius"), [(0.2, 71.5)]);
        assert_eq!(points(&looks, "cpu_throttle_events"), [(0.2, 2.0)]);
    }

    #[test]
    fn a_worker_that_ends_leaves_the_machine_watched() {
        let tree = Tree::new();
        tree.at([0, 0, 0], 0, 0);
        let mut looks = Looks::begin(&tree.root(), 7);
        std::fs::remove_file(tree.0.path().join("proc/7/stat")).unwrap();
        tree.write("proc/stat", "cpu 40 0 0 0 0 0 0 40 0 0\n");
        looks.look(Duration::from_millis(200));
        assert_eq!(points(&looks, "steal_percent"), [(0.2, 50.0)]);
        assert!(points(&looks, "foreign_cpu_percent").is_empty());
    }

    #[test]
    fn the_thread_ends_with_the_test_and_tells_once() {
        let mut watch = Watch::new(&Root::default());
        assert!(watch.stop().is_err());
        watch.start(std::process::id()).unwrap();
        std::thread::sleep(Duration::from_millis(450));
        assert_eq!(watch.stop().unwrap(), vec![]);
        let seen = watch.timeline();
        assert_eq!(seen.is_some_and(|(_, tracks)| !tracks.is_empty()), cfg!(target_os = "linux"));
        assert!(watch.timeline().is_none());
    }
}
