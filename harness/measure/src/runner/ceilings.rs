//! A device's limits as tests of their own: each limit and number of threads in a fresh or shared worker, each a record like
//! any other. No model takes part, so nothing is loaded and nothing is verified.

use std::sync::atomic::AtomicBool;

use yardstick_api::{Device, Known, Limit, Options, Reached, Round};
use yardstick_probes::Probe;
use yardstick_record::{
    Cell, Direction, Environment, ModelRef, Outcome, Phase, Reading, Record, RunInfo, SCHEMA,
    Sample, Test, Tool, Verification,
};

use super::launch::{failed, fault, mark};
use super::output::now;
use super::{Event, RunError, Sink, WorkerCommand};
use crate::child::{CallError, Child};
use crate::protocol::{Answer, Call};
use crate::suite::Deadlines;

/// What is measured, and everything its records need.
pub struct CeilingsRequest<'a> {
    /// The program that has the device.
    pub worker: &'a WorkerCommand,
    /// The device.
    pub device: &'a Device,
    /// Threads that take part, each number apart; `None` is as many as a session would use.
    pub threads: &'a [Option<usize>],
    /// The limits.
    pub limits: &'a [Limit],
    /// Fresh processes that measure all of it.
    pub launches: u32,
    /// How long phases may take.
    pub deadlines: &'a Deadlines,
    /// The run, for its records.
    pub info: &'a RunInfo,
    /// This program, for its records.
    pub tool: &'a Tool,
    /// The machine and its state; asked once a launch.
    pub environment: &'a dyn Fn() -> Environment,
    /// Fresh meters.
    pub probes: &'a dyn Fn() -> Vec<Box<dyn Probe>>,
    /// A command line that measures a cell again.
    pub rerun: &'a dyn Fn(&Cell) -> String,
    /// Set to end it: what was measured is kept.
    pub cancel: &'a AtomicBool,
}

/// Limits worth knowing: reading from every level of the memory, every kind of arithmetic, the latencies of a crew.
pub fn limits() -> Vec<Limit> {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    let sizes = [
        16 * KIB,
        128 * KIB,
        MIB,
        8 * MIB,
        24 * MIB,
        40 * MIB,
        64 * MIB,
        256 * MIB,
        1024 * MIB,
        2048 * MIB,
    ];
    let rest = [
        Limit::Int8,
        Limit::Bf16,
        Limit::F16,
        Limit::F32,
        Limit::Int8Matrix,
        Limit::Bf16Matrix,
        Limit::Barrier,
        Limit::Wake,
    ];
    sizes.into_iter().map(|bytes| Limit::Read { bytes }).chain(rest).collect()
}

/// Measures a device's limits. Hands out a record for each as soon as it is known. Says whether it came to its end.
pub fn ceilings(request: &CeilingsRequest<'_>, sink: &mut dyn Sink) -> Result<bool, RunError> {
    for launch in 0..request.launches {
        let environment = (request.environment)();
        let mut child: Option<Child> = None;
        let asked = request.threads.iter();
        for (threads, limit) in
            asked.flat_map(|threads| request.limits.iter().map(move |limit| (*threads, *limit)))
        {
            let measured = match one(request, &mut child, threads, limit, sink) {
                Ok(measured) => measured,
                Err(CallError::Interrupted) => return Ok(false),
                Err(error) => {
                    child = None;
                    Measured { outcome: outcome(error), ..Measured::default() }
                }
            };
            let record = record(request, launch, &environment, (threads, limit), measured);
            sink.record(record.seal()).map_err(RunError::Store)?;
        }
        if let Some(child) = child {
            child.stop();
        }
    }
    Ok(true)
}

struct Measured {
    started: String,
    reached: Option<Reached>,
    readings: Vec<Reading>,
    outcome: Outcome,
}

impl Default for Measured {
    fn default() -> Measured {
        Measured { started: now(), reached: None, readings: Vec::new(), outcome: Outcome::Ok }
    }
}

fn one(
    request: &CeilingsRequest<'_>,
    child: &mut Option<Child>,
    threads: Option<usize>,
    limit: Limit,
    sink: &mut dyn Sink,
) -> Result<Measured, CallError> {
    sink.event(Event::Phase { phase: Phase::Ceiling, test: Some(Test::Limit(limit)) });
    let child = match child {
        Some(child) => child,
        None => {
            let (started, _) = Child::start(request.worker, request.deadlines, request.cancel)?;
            child.insert(started)
        }
    };
    let mut measured = Measured::default();
    let mut probes = (request.probes)();
    let started: Vec<&mut Box<dyn Probe>> = probes
        .iter_mut()
        .filter_map(|probe| probe.start(child.id()).is_ok().then_some(probe))
        .collect();
    let call = Call::Ceiling { device: request.device.id.clone(), limit, threads };
    let answer = child.call(call, Phase::Ceiling, request.cancel, &mut |_| {});
    for probe in started {
        measured.readings.extend(probe.stop().unwrap_or_default());
    }
    match answer? {
        Answer::Ceiling { reached: Known::Value(reached) } => measured.reached = Some(reached),
        Answer::Ceiling { reached: Known::Unavailable { unavailable } } => {
            measured.outcome = Outcome::Skipped { reason: unavailable, fix: None };
        }
        other => return Err(child.unexpected(Phase::Ceiling, &other)),
    }
    Ok(measured)
}

fn outcome(error: CallError) -> Outcome {
    match error {
        CallError::Lost(loss) => failed(loss),
        CallError::Fault { kind, message, fix } => fault(kind, message, fix),
        CallError::Interrupted => fault(
            crate::protocol::FaultKind::Invalid,
            "interrupted before it was measured".to_owned(),
            None,
        ),
    }
}

fn record(
    request: &CeilingsRequest<'_>,
    launch: u32,
    environment: &Environment,
    (threads, limit): (Option<usize>, Limit),
    measured: Measured,
) -> Record {
    let Measured { started, reached, mut readings, mut outcome } = measured;
    let mut samples = reached.as_ref().map(|reached| samples(limit, reached)).unwrap_or_default();
    if let (Some(reached), Some(reason)) = (&reached, reached.as_ref().and_then(impossible)) {
        outcome = Outcome::Invalid { reason: format!("{limit}: {reason} ({})", reached.how) };
    }
    mark(&mut samples, &readings, None);
    readings.extend(reached.iter().map(|reached| best(limit, reached)));
    let effective = reached.as_ref().and_then(|reached| reached.threads.value().copied());
    let why = "a limit of the device, nothing was loaded";
    let cell = Cell {
        device: request.device.id.clone(),
        model: ModelRef::none(),
        options: Options { threads: effective.or(threads), ..Options::default() },
        build: None,
        test: Test::Limit(limit),
        subject: None,
    };
    Record {
        schema: SCHEMA,
        id: String::new(),
        run: request.info.clone(),
        tool: request.tool.clone(),
        rerun: (request.rerun)(&cell),
        cell,
        launch,
        started,
        environment: environment.clone(),
        device: Known::Value(request.device.clone()),
        facts: Known::unavailable(why),
        load_ns: Known::unavailable(why),
        warm_up: Known::unavailable("part of the measurement"),
        samples,
        readings,
        ceiling: Known::unavailable("this record is a ceiling itself"),
        peak: None,
        pairing: None,
        quality: None,
        workload: None,
        timeline: None,
        soak: None,
        origin: None,
        shared: None,
        verification: Verification::skipped(
            "a limit has no answers; its work was checked where it was done",
        ),
        outcome,
    }
}

/// A round each. When it began is not told: 0, as in imported samples.
fn samples(limit: Limit, reached: &Reached) -> Vec<Sample> {
    let told = match limit.is_latency() {
        true => Round { amount: 1, nanoseconds: reached.value as u64 },
        false => Round { amount: reached.value as u64, nanoseconds: 1_000_000_000 },
    };
    let rounds = if reached.rounds.is_empty() { vec![told] } else { reached.rounds.clone() };
    let sample = |round: Round| Sample {
        started_ns: 0,
        nanoseconds: round.nanoseconds,
        tokens: round.amount,
        cpu_ns: None,
        emits_ns: Vec::new(),
        marks: Vec::new(),
    };
    rounds.into_iter().map(sample).collect()
}

/// The best round, and how it was reached.
fn best(limit: Limit, reached: &Reached) -> Reading {
    let better = if limit.is_latency() { Direction::Lower } else { Direction::Higher };
    let source = [reached.label.as_str(), reached.how.as_str()];
    Reading {
        name: BEST.to_owned(),
        value: Known::Value(reached.value),
        unit: limit.unit().to_owned(),
        better: Some(better),
        source: source
            .iter()
            .filter(|text| !text.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(": "),
        scope: "test".to_owned(),
        precision: None,
    }
}

/// Name of the reading that tells the best round.
pub const BEST: &str = "best_round";

/// What cannot be true of rounds.
fn impossible(reached: &Reached) -> Option<String> {
    let worthless = |round: &Round| round.amount == 0 || round.nanoseconds == 0;
    if !(reached.value.is_finite() && reached.value > 0.0) {
        return Some(format!("it says it reached {}", reached.value));
    }
    let index = reached.rounds.iter().position(worthless)?;
    Some(format!("round {index} did nothing or took no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(value: f64, rounds: &[(u64, u64)]) -> Reached {
        let round = |&(amount, nanoseconds): &(u64, u64)| Round { amount, nanoseconds };
        Reached {
            value,
            threads: Known::Value(2),
            label: "L2".into(),
            how: "by hand".into(),
            rounds: rounds.iter().map(round).collect(),
        }
    }

    #[test]
    fn a_device_that_keeps_no_rounds_has_one_sample_of_what_it_told() {
        let rate = samples(Limit::Int8, &reached(2e12, &[]));
        assert_eq!((rate[0].tokens, rate[0].nanoseconds), (2_000_000_000_000, 1_000_000_000));
        let latency = samples(Limit::Wake, &reached(5e3, &[]));
        assert_eq!((latency[0].tokens, latency[0].nanoseconds), (1, 5000));
        assert_eq!(samples(Limit::Int8, &reached(1.0, &[(8, 2), (8, 3)])).len(), 2);
    }

    #[test]
    fn rounds_that_cannot_be_true_are_named() {
        for (reached, words) in [
            (reached(f64::NAN, &[(1, 1)]), "NaN"),
            (reached(0.0, &[(1, 1)]), "reached 0"),
            (reached(1.0, &[(1, 1), (0, 1)]), "round 1"),
            (reached(1.0, &[(1, 0)]), "round 0"),
        ] {
            let reason = impossible(&reached).unwrap();
            assert!(reason.contains(words), "{reason}");
        }
        assert_eq!(impossible(&reached(1.0, &[(1, 1)])), None);
    }

    #[test]
    fn limits_are_distinct_and_their_names_read_back() {
        let limits = limits();
        for (i, limit) in limits.iter().enumerate() {
            assert!(!limits[..i].contains(limit), "{limit}");
            let name = Test::Limit(*limit).to_string();
            assert_eq!(Test::try_from(name).unwrap(), Test::Limit(*limit));
        }
    }
}
