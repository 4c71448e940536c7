//! The probe of all sensors: one thread that reads them now and then while a test runs.
//!
//! Both ends of the test are read by the caller, as near to it as can be. In between the thread wakes five times a second,
//! and more rarely where reading takes long, so that it never uses more than half a percent of one CPU.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use yardstick_record::{Direction, Reading};

use super::sensor::{About, Entry, Missing, Sensor, TABLE};
use crate::{Error, Probe, Root};

/// Time between two reads where reading is quick.
const PERIOD: Duration = Duration::from_millis(200);
/// Never longer: counters wrap.
const LONGEST: Duration = Duration::from_secs(5);
/// Rest for each unit of time spent reading.
const REST: u32 = 200;

const COST: About<'static> = About {
    unit: "%",
    source: "CPU time of the thread that reads the sensors, of one CPU's time",
    scope: "machine",
    better: Some(Direction::Lower),
};
const WINDOW: About<'static> = About {
    unit: "s",
    source: "first to last read of the sensors: the samples and what is between them",
    scope: "test",
    better: None,
};
const READS: About<'static> = About {
    unit: "reads",
    source: "how often the sensors were read, both ends included",
    scope: "test",
    better: None,
};

/// See the file's head.
pub(crate) struct Sensors {
    root: Root,
    found: Arc<Mutex<Vec<Found>>>,
    running: Option<Running>,
}

/// A line of the table, and what it led to.
type Found = (&'static Entry, Result<Box<dyn Sensor>, Missing>);

/// Between start and stop.
struct Running {
    start: Instant,
    /// Dropped, it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Spent>>,
}

/// What the thread used.
#[derive(Clone, Copy, Default)]
struct Spent {
    reads: u32,
    cpu: Option<Duration>,
}

impl Sensors {
    pub(crate) fn new(root: &Root) -> Sensors {
        Sensors { root: root.clone(), found: Arc::default(), running: None }
    }

    /// Finds the sensors; those missing are looked for again at every test, they cost little.
    fn find(&self) {
        let mut found = lock(&self.found);
        if found.is_empty() {
            found.extend(TABLE.iter().map(|entry| (entry, (entry.open)(&self.root))));
            return;
        }
        for (entry, sensor) in found.iter_mut().filter(|(_, sensor)| sensor.is_err()) {
            *sensor = (entry.open)(&self.root);
        }
    }

    /// Starts the thread; where none can be had the ends of the test must do.
    fn run(&self, start: Instant) -> (Option<Sender<()>>, Option<JoinHandle<Spent>>) {
        let (stop, stopped) = mpsc::channel::<()>();
        let found = Arc::clone(&self.found);
        let body = move || {
            let mut spent = Spent::default();
            let mut pause = PERIOD;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let before = Instant::now();
                sample(&found, start);
                spent.reads += 1;
                pause = (before.elapsed() * REST).clamp(PERIOD, LONGEST);
            }
            Spent { cpu: thread_cpu(), ..spent }
        };
        let thread = std::thread::Builder::new().name("sensors".to_owned()).spawn(body);
        (Some(stop), thread.ok())
    }
}

impl Probe for Sensors {
    fn name(&self) -> &str {
        "sensors"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        self.end();
        self.find();
        let mut found = lock(&self.found);
        let mut any = false;
        for (_, sensor) in found.iter_mut() {
            if let Ok(sensor) = sensor {
                sensor.begin(pid);
                any = true;
            }
        }
        drop(found);
        let start = Instant::now();
        sample(&self.found, start);
        let (stop, thread) = if any { self.run(start) } else { (None, None) };
        self.running = Some(Running { start, stop, thread });
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let (window, spent) = self.end().ok_or(Error::NotStarted { probe: "sensors" })?;
        let mut readings = Vec::new();
        let mut any = false;
        for (entry, sensor) in lock(&self.found).iter_mut() {
            match sensor {
                Ok(sensor) => {
                    any = true;
                    readings.extend(sensor.finish());
                }
                Err(missing) => {
                    let (name, about) = &entry.absent;
                    readings.push(about.missing(name, missing));
                }
            }
        }
        if any {
            let seconds = window.as_secs_f64();
            let cost = spent.cpu.ok_or_else(|| "a thread's CPU time is not told here".to_owned());
            let percent = cost.map(|cpu| cpu.as_secs_f64() / seconds * 100.0);
            readings.push(WINDOW.reading("sensor_window_seconds", Ok(seconds)));
            readings.push(READS.reading("sensor_reads", Ok(f64::from(spent.reads + 2))));
            readings.push(COST.reading("sensor_cost_percent", percent));
        }
        Ok(readings)
    }
}

impl Sensors {
    /// Reads the other end of the test and ends the thread. Tells how long it ran.
    fn end(&mut self) -> Option<(Duration, Spent)> {
        let Running { start, stop, thread } = self.running.take()?;
        sample(&self.found, start);
        let window = start.elapsed();
        drop(stop);
        let spent = thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
        Some((window, spent))
    }
}

impl Drop for Sensors {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads every sensor once.
fn sample(found: &Mutex<Vec<Found>>, start: Instant) {
    let mut found = lock(found);
    for sensor in found.iter_mut().filter_map(|(_, sensor)| sensor.as_mut().ok()) {
        sensor.sample(start.elapsed());
    }
}

/// A sensor that panicked has nothing that could be half done.
fn lock(found: &Mutex<Vec<Found>>) -> MutexGuard<'_, Vec<Found>> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

/// CPU time of this thread.
fn thread_cpu() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}
