//! What the timed region costs: tg128 through it, against a bare loop over the same session, in interleaved pairs, and
//! the bare loop against itself as a control: a slow-down that the control shows too is the machine's.
//! The last arm is the bare loop while every probe looks at it, the watch a few times a second: what measuring memory, load, heat and
//! power costs beside the time.
//! The bare loop calls `generate` and reads the clock twice; the harness stamps every emit, reads CPU time and checks
//! what was done. Both run in one process on one session, so that nothing else differs.
//!
//! `cargo run --release -p yardstick-measure --example harness_cost -- MODEL.gguf [DEVICE] [PAIRS] [THREADS]`
//! On a machine that does other things, take one thread and read the line of CPU time.
#![allow(clippy::unwrap_used, reason = "an example ends by panicking")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Backend, DeviceStatus, Options, Sequence, Session, verify};
use yardstick_cpu::Cpu;
use yardstick_measure::timed::{Repetition, Work};
use yardstick_model::Model;
use yardstick_probes::Probe;

const TOKENS: usize = 128;
/// The bare loop, itself again, through the harness, and watched.
const ARMS: usize = 4;
/// Runs of each arm in a pair.
const TURNS: usize = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path =
        arguments.first().expect("usage: harness_cost MODEL.gguf [DEVICE] [PAIRS] [THREADS]");
    let pairs: usize = arguments.get(2).map_or(30, |n| n.parse().unwrap());
    let threads = arguments.get(3).map(|n| n.parse().unwrap());
    let (mut session, vocab) = load(Path::new(path), arguments.get(1).map(String::as_str), threads);
    let work = Work::new(format!("tg{TOKENS}").parse().unwrap(), 1, vocab);
    for _ in 0..3 {
        bare(&mut *session, vocab);
    }
    let mut probes = yardstick_probes::all_with(&yardstick_probes::Meters::open(&[]).unwrap());
    let mut rounds = Vec::with_capacity(pairs);
    for round in 0..pairs {
        // The order rotates: what drifts hurts all arms alike. A pair is the median of several turns of each arm, because the
        // speed of a shared machine moves by more in half a second than what is to be seen, and a burst hits one turn. The
        // watch looks several times in every turn, so that none is without it.
        let mut turns: [Vec<(u64, u64)>; ARMS] = Default::default();
        for turn in 0..ARMS * TURNS {
            let arm = (round + turn + turn / ARMS) % ARMS;
            turns[arm].push(match arm {
                2 => through_harness(&mut *session, &work),
                3 => watched(&mut *session, vocab, &mut probes),
                _ => bare(&mut *session, vocab),
            });
        }
        rounds.push(turns.map(|turns| {
            let of = |pick: fn(&(u64, u64)) -> u64| middle(turns.iter().map(pick).collect());
            (of(|turn| turn.0), of(|turn| turn.1))
        }));
    }
    for (arm, name) in [(1, "bare loop again (control)"), (2, "harness"), (3, "bare loop, watched")]
    {
        let wall = rounds.iter().map(|taken| percent(taken[0].0, taken[arm].0)).collect();
        let cpu = rounds.iter().map(|taken| percent(taken[0].1, taken[arm].1)).collect();
        report(&format!("{name}, wall time"), wall);
        report(&format!("{name}, CPU time"), cpu);
    }
}

fn percent(bare: f64, harness: f64) -> f64 {
    (harness / bare - 1.0) * 100.0
}

/// The median.
fn middle(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) as f64 / 2.0
}

fn load(path: &Path, wanted: Option<&str>, threads: Option<usize>) -> (Box<dyn Session>, usize) {
    let model = Arc::new(Model::open(path).unwrap());
    let ready = |status| match status {
        DeviceStatus::Ready(device) => Some(device),
        DeviceStatus::Missing { .. } => None,
    };
    let mut devices = Cpu.devices().into_iter().filter_map(ready);
    let device = devices
        .find(|d| wanted.map_or(d.preferred, |w| d.id == w || w == "cpu" && d.preferred))
        .unwrap();
    println!("{} on {}", model.info().name, device.id);
    let options = Options { context: Some(TOKENS), threads, ..Options::default() };
    (Cpu.load(&device, &model, &options).unwrap(), model.architecture().vocab)
}

/// Wall and CPU nanoseconds.
fn bare(session: &mut dyn Session, vocab: usize) -> (u64, u64) {
    let first = [(Sequence(0), verify::prompt(vocab, 1)[0])];
    session.truncate(Sequence(0), 0).unwrap();
    let cpu = cpu_ns();
    let start = Instant::now();
    session.generate(&first, TOKENS, &mut |_, _| ControlFlow::Continue(())).unwrap();
    session.synchronize().unwrap();
    let wall = start.elapsed().as_nanos() as u64;
    (wall, cpu_ns() - cpu)
}

/// The bare loop between every probe's start and stop. What they do in this process counts as CPU time here; in a run it is the
/// parent's.
fn watched(session: &mut dyn Session, vocab: usize, probes: &mut [Box<dyn Probe>]) -> (u64, u64) {
    for probe in probes.iter_mut() {
        // One that has nothing to read here costs nothing.
        let _ = probe.start(std::process::id());
    }
    let taken = bare(session, vocab);
    for probe in probes.iter_mut() {
        let _ = probe.stop();
    }
    taken
}

/// CPU time of all threads; 0 where the platform does not tell it, and then the lines of CPU time are `NaN`.
#[cfg(unix)]
fn cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(not(unix))]
fn cpu_ns() -> u64 {
    0
}

fn through_harness(session: &mut dyn Session, work: &Work) -> (u64, u64) {
    let start = Instant::now();
    match work.repeat(session, start, &|| false).unwrap() {
        Repetition::Whole(sample) => (sample.nanoseconds, sample.cpu_ns.unwrap_or(0)),
        Repetition::Stopped => unreachable!("nobody stops it"),
    }
}

/// Median and its one-sided 95 % bound from order statistics (normal approximation of the binomial rank).
fn report(what: &str, mut ratios: Vec<f64>) {
    ratios.sort_by(f64::total_cmp);
    let n = ratios.len() as f64;
    let rank = (n / 2.0 + 0.8225 * n.sqrt()).ceil() as usize;
    let upper = ratios[rank.min(ratios.len() - 1)];
    let median = (ratios[(ratios.len() - 1) / 2] + ratios[ratios.len() / 2]) / 2.0;
    println!("{what}: {n} pairs, slow-down median {median:+.3} %, upper 95 % bound {upper:+.3} %");
    println!("{what}: range {:+.2} .. {:+.2} %", ratios[0], ratios[ratios.len() - 1]);
}
