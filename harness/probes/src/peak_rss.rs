//! Peak resident memory of the worker over a test, and what is resident at its end.
//!
//! Writing 5 to `clear_refs` sets the peak back to the present size (proc_pid_clear_refs(5)). Where that is refused the peak
//! is that of the worker's whole life, and the scope says so. The kernel keeps these counters per thread in batches of up
//! to 64 pages, so they may lag by a few hundred KiB.

use yardstick_record::Reading;

use crate::probe::{Learnt, Meter};
use crate::root::kilobytes;
use crate::{Error, Probe, Root, portable};

/// See the file's head.
pub(crate) struct PeakRss {
    root: Root,
    started: Option<Started>,
}

struct Started {
    pid: u32,
    reset: Learnt<()>,
}

const ANONYMOUS: Meter = Meter {
    name: "rss_anonymous_bytes",
    unit: "bytes",
    source: "/proc/PID/status RssAnon, after the samples",
    scope: "worker",
};
const FILE: Meter = Meter {
    name: "rss_file_bytes",
    unit: "bytes",
    source: "/proc/PID/status RssFile, after the samples",
    scope: "worker",
};

impl PeakRss {
    pub(crate) fn new(root: &Root) -> PeakRss {
        PeakRss { root: root.clone(), started: None }
    }
}

impl Probe for PeakRss {
    fn name(&self) -> &str {
        "peak_rss"
    }

    fn start(&mut self, pid: u32) -> Result<(), Error> {
        let reset = self.root.write(&format!("/proc/{pid}/clear_refs"), "5");
        self.started = Some(Started { pid, reset });
        Ok(())
    }

    fn stop(&mut self) -> Result<Vec<Reading>, Error> {
        let Started { pid, reset } =
            self.started.take().ok_or(Error::NotStarted { probe: "peak_rss" })?;
        let path = format!("/proc/{pid}/status");
        let status = self.root.read(&path);
        let field = |name| -> Learnt<f64> { Ok(kilobytes(&path, status.as_ref()?, name)? as f64) };
        Ok(vec![
            peak_meter(&reset).read(field("VmHWM")),
            rss(field("VmRSS"), pid),
            ANONYMOUS.read(field("RssAnon")),
            FILE.read(field("RssFile")),
        ])
    }
}

fn peak_meter(reset: &Learnt<()>) -> Meter {
    let (source, scope) = match reset {
        Ok(()) => ("/proc/PID/status VmHWM, set back by /proc/PID/clear_refs", "test"),
        Err(_) => ("/proc/PID/status VmHWM; /proc/PID/clear_refs could not set it back", "worker"),
    };
    Meter { name: "peak_rss_bytes", unit: "bytes", source, scope }
}

/// The present size, from `/proc` or, on other systems, from their own calls.
fn rss(from_proc: Learnt<f64>, pid: u32) -> Reading {
    let (name, unit, scope) = ("rss_bytes", "bytes", "worker");
    if cfg!(target_os = "linux") {
        let source = "/proc/PID/status VmRSS, after the samples";
        Meter { name, unit, source, scope }.read(from_proc)
    } else {
        let source = "sysinfo, after the samples";
        Meter { name, unit, source, scope }.read(portable::resident_bytes(pid).map(|b| b as f64))
    }
}
