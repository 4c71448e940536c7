//! What the timed region costs: tg128 through it, against a bare loop over the same session, in interleaved pairs.
//! The bare loop calls `generate` and reads the clock twice; the harness stamps every emit, reads CPU time and checks
//! what was done. Both run in one process on one session, so that nothing else differs.
//!
//! `cargo run --release -p yardstick-measure --example harness_cost -- MODEL.gguf [DEVICE] [PAIRS]`
#![allow(clippy::unwrap_used, reason = "an example ends by panicking")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Backend, DeviceStatus, Options, Sequence, Session, verify};
use yardstick_cpu::Cpu;
use yardstick_measure::timed::{Repetition, Work};
use yardstick_model::Model;

const TOKENS: usize = 128;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().expect("usage: harness_cost MODEL.gguf [DEVICE] [PAIRS]");
    let pairs: usize = arguments.get(2).map_or(30, |n| n.parse().unwrap());
    let (mut session, vocab) = load(Path::new(path), arguments.get(1).map(String::as_str));
    let work = Work::new(format!("tg{TOKENS}").parse().unwrap(), 1, vocab);
    for _ in 0..3 {
        bare(&mut *session, vocab);
    }
    let mut ratios = Vec::with_capacity(pairs);
    for pair in 0..pairs {
        // The order alternates: what drifts upwards hurts both arms alike.
        let (bare, harness) = if pair % 2 == 0 {
            let bare = bare(&mut *session, vocab);
            (bare, through_harness(&mut *session, &work))
        } else {
            let harness = through_harness(&mut *session, &work);
            (bare(&mut *session, vocab), harness)
        };
        ratios.push((harness as f64 / bare as f64 - 1.0) * 100.0);
    }
    report(&mut ratios);
}

fn load(path: &Path, wanted: Option<&str>) -> (Box<dyn Session>, usize) {
    let model = Arc::new(Model::open(path).unwrap());
    let ready = |status| match status {
        DeviceStatus::Ready(device) => Some(device),
        DeviceStatus::Missing { .. } => None,
    };
    let mut devices = Cpu.devices().into_iter().filter_map(ready);
    let device = devices.find(|d| wanted.map_or(d.preferred, |wanted| d.id == wanted)).unwrap();
    println!("{} on {}", model.info().name, device.id);
    let options = Options { context: Some(TOKENS), ..Options::default() };
    (Cpu.load(&device, &model, &options).unwrap(), model.architecture().vocab)
}

fn bare(session: &mut dyn Session, vocab: usize) -> u64 {
    let first = [(Sequence(0), verify::prompt(vocab, 1)[0])];
    session.truncate(Sequence(0), 0).unwrap();
    let start = Instant::now();
    session.generate(&first, TOKENS, &mut |_, _| ControlFlow::Continue(())).unwrap();
    session.synchronize().unwrap();
    start.elapsed().as_nanos() as u64
}

fn through_harness(session: &mut dyn Session, work: &Work) -> u64 {
    let start = Instant::now();
    match work.repeat(session, start, &|| false).unwrap() {
        Repetition::Whole(sample) => sample.nanoseconds,
        Repetition::Stopped => unreachable!("nobody stops it"),
    }
}

/// Median and its one-sided 95 % bound from order statistics (normal approximation of the binomial rank).
fn report(ratios: &mut [f64]) {
    ratios.sort_by(f64::total_cmp);
    let n = ratios.len() as f64;
    let rank = (n / 2.0 + 0.8225 * n.sqrt()).ceil() as usize;
    let upper = ratios[rank.min(ratios.len() - 1)];
    let median = (ratios[(ratios.len() - 1) / 2] + ratios[ratios.len() / 2]) / 2.0;
    println!("pairs {n}, slow-down median {median:+.3} %, upper 95 % bound {upper:+.3} %");
    println!("range {:+.2} .. {:+.2} %", ratios[0], ratios[ratios.len() - 1]);
}
