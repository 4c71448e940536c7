//! Devices that misbehave on purpose, so that tests can show the harness survives them.
//!
//! `null:NAME` misbehaves in every `forward` and `generate` (or where the name says);
//! `null:NAME-late` only once a sequence would hold more positions than a verification uses, that is while measuring.

use std::io::Write;
use std::time::{Duration, Instant};

use yardstick_api::Error;

/// One way to misbehave.
#[derive(Clone, Copy)]
pub(crate) struct Misbehaviour {
    /// The device's name after the colon.
    pub(crate) name: &'static str,
    /// Where.
    pub(crate) place: Place,
    /// What; may not return at all.
    pub(crate) act: fn() -> Result<(), Error>,
}

/// Where a device misbehaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Load,
    Forward,
    /// The logits are not a number.
    NanLogits,
    /// The logits are another state's.
    WrongLogits,
}

/// Every way.
pub(crate) const ALL: &[Misbehaviour] = &[
    forward("segfault", segfault),
    forward("abort", || std::process::abort()),
    forward("exit", || std::process::exit(3)),
    forward("panic", || panic!("the null device panics on purpose")),
    forward("hang", hang),
    forward("garbage", garbage),
    forward("huge-line", huge_line),
    forward("oom", exhaust_memory),
    forward("oom-error", || Err(Error::OutOfMemory("on purpose".into()))),
    // Answers rightly and keeps 256 KiB of every call.
    forward("leak", leak),
    forward("lost", || Err(Error::DeviceLost("on purpose".into()))),
    forward("error", || Err(Error::Device("the null device fails on purpose".into()))),
    // Not wrong, only slow: 100 us a call, for tests that need times above the clock's grain.
    forward("paced", pace),
    Misbehaviour { name: "nan", place: Place::NanLogits, act: nothing },
    Misbehaviour { name: "wrong", place: Place::WrongLogits, act: nothing },
    Misbehaviour { name: "slow-load", place: Place::Load, act: slow },
    Misbehaviour { name: "hang-load", place: Place::Load, act: hang },
];

const fn forward(name: &'static str, act: fn() -> Result<(), Error>) -> Misbehaviour {
    Misbehaviour { name, place: Place::Forward, act }
}

fn nothing() -> Result<(), Error> {
    Ok(())
}

fn slow() -> Result<(), Error> {
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

fn pace() -> Result<(), Error> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(100) {
        std::hint::spin_loop();
    }
    Ok(())
}

fn hang() -> Result<(), Error> {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Lines that are no messages, where a worker's messages go.
fn garbage() -> Result<(), Error> {
    for line in ["garbage", "{\"half\": ", "[]", "\u{0}\u{1b}[31m"] {
        println!("{line}");
    }
    Ok(())
}

/// 64 MiB without an end of line.
fn huge_line() -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let written =
        (0..64).try_for_each(|_| out.write_all(&[b'x'; 1 << 20])).and_then(|()| out.flush());
    written.map_err(|error| Error::Device(format!("standard output: {error}")))
}

/// Dies by SIGSEGV. Rust's own handler takes the first signal for a stack overflow that was none, restores
/// the default and returns, so the signal is sent again until nobody is left to send it.
#[cfg(unix)]
fn segfault() -> Result<(), Error> {
    use rustix::process::{Signal, getpid, kill_process};
    for _ in 0..1000 {
        let sent = kill_process(getpid(), Signal::SEGV);
        sent.map_err(|error| Error::Device(format!("kill: {error}")))?;
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(Error::Device("survived SIGSEGV".into()))
}

#[cfg(not(unix))]
fn segfault() -> Result<(), Error> {
    std::process::abort()
}

/// Allocates until an allocation fails, which ends the process. First it limits its own address space to 1 GiB more
/// than now, so that the machine does not suffer.
#[cfg(unix)]
fn exhaust_memory() -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const ROOM: u64 = 1 << 30;
    let used = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .map(|pages| pages * rustix::param::page_size() as u64);
    let Some(used) = used else {
        return Err(Error::OutOfMemory("no /proc/self/statm: the limit cannot be set".into()));
    };
    let maximum = getrlimit(Resource::As).maximum;
    let limit = Rlimit { current: Some(used + ROOM), maximum };
    setrlimit(Resource::As, limit).map_err(|error| Error::Device(format!("setrlimit: {error}")))?;
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 16 << 20]));
    }
}

/// Keeps 256 KiB for good, each page touched.
fn leak() -> Result<(), Error> {
    const KEPT: usize = 256 << 10;
    std::hint::black_box(Vec::leak(vec![1_u8; KEPT]));
    Ok(())
}

#[cfg(not(unix))]
fn exhaust_memory() -> Result<(), Error> {
    Err(Error::OutOfMemory("address space cannot be limited here".into()))
}
