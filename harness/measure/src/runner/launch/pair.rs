//! A pair: several launches whose workers are resident at once and take turns, one repetition at a time. Every round each
//! member makes one, in an order shuffled anew, so that whatever drifts hits all alike. A lost member costs its own cells.

use std::time::{Duration, Instant};

use yardstick_api::{Facts, Known};
use yardstick_record::{FailureKind, Outcome, Phase, Sample, Test};

use super::cell::End;
use super::disturbed::mark;
use super::together::{IDLE, TakingTurns, idle_reading};
use super::{Ended, Halt, MOST_LOSSES, Measuring, context, too_many};
use crate::child::{CallError, Child, Loss, Partial};
use crate::plan::Shuffle;
use crate::protocol::{Answer, Call};
use crate::runner::output::{Measured, Output};
use crate::runner::{Event, Prepared, Run, RunError};
use crate::steady;
use crate::suite::Sampling;

/// Rest between two turns: thread pools that spin after their work have gone to sleep by then. Ours spins 50 us, GNU
/// OpenMP's some milliseconds.
const SETTLE: Duration = Duration::from_millis(5);
/// Share of a core that an idle member may use before the samples of the others are marked, percent.
const RESTLESS: f64 = 10.0;

/// One launch of the pair.
struct Member<'r, 'o, 's> {
    measuring: Measuring<'r, 'o, 's>,
    child: Option<Child>,
    losses: usize,
}

/// What a member has of the test under way.
struct Turns {
    member: usize,
    measured: Measured,
    /// Parent's time around its calls.
    busy: Duration,
    /// Its CPU time while others were in their calls, and how long that was; `None` where the system does not tell.
    idle: Option<(u64, Duration)>,
    facts: Option<Box<Facts>>,
    end: Option<End>,
}

/// Measures launches side by side.
pub(in crate::runner) fn measure_pair(
    run: &Run<'_>,
    turns: &TakingTurns<'_>,
    model: &Prepared,
    output: &Output<'_>,
) -> Result<Ended, RunError> {
    let mut meters: Vec<_> = turns.with.iter().map(|_| (run.probes)()).collect();
    let members = turns.with.iter().zip(&mut meters).map(|(launch, probes)| {
        let (context, turns) = (context(run, launch, model), Some(turns.clone()));
        let measuring = Measuring::new(run, launch, model, context, turns, probes, output);
        Member { measuring, child: None, losses: 0 }
    });
    let number = turns.with.first().map_or(0, |launch| launch.pair.unwrap_or(0));
    let seed = run.plan.seed ^ (number as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F);
    let members = members.collect();
    let mut pair = Pair { run, members, output, shuffle: Shuffle::new(seed) };
    match pair.go() {
        Ok(()) | Err(Halt::All(_)) => Ok(Ended::Done),
        Err(Halt::Interrupted) => Ok(Ended::Interrupted),
        Err(Halt::Stop(error)) => Err(error),
    }
}

struct Pair<'r, 'o, 's> {
    run: &'r Run<'r>,
    members: Vec<Member<'r, 'o, 's>>,
    output: &'o Output<'s>,
    shuffle: Shuffle,
}

impl Pair<'_, '_, '_> {
    fn go(&mut self) -> Result<(), Halt> {
        for member in &mut self.members {
            member.open()?;
        }
        for test in self.tests() {
            if self.run.cancelled() {
                return Err(Halt::Interrupted);
            }
            self.test(test)?;
        }
        for member in &mut self.members {
            member.child.take().into_iter().for_each(Child::stop);
        }
        Ok(())
    }

    /// Every test left of any member, in the plan's order.
    fn tests(&self) -> Vec<Test> {
        let mut tests: Vec<Test> = Vec::new();
        for test in self.members.iter().flat_map(|member| &member.measuring.launch.tests) {
            if !tests.contains(test) {
                tests.push(*test);
            }
        }
        tests
    }

    fn test(&mut self, test: Test) -> Result<(), Halt> {
        let mut turns = self.prepare(test)?;
        if turns.is_empty() {
            return Ok(());
        }
        self.output.event(Event::Phase { phase: Phase::Sample, test: Some(test) });
        for turn in turns.iter().filter(|turn| turn.end.is_none()) {
            let Member { measuring, child, .. } = &mut self.members[turn.member];
            child.iter().for_each(|child| measuring.start_probes(child));
        }
        let watched: Vec<bool> = turns.iter().map(|turn| turn.end.is_none()).collect();
        let start = Instant::now();
        let interrupted = self.alternate(test, &mut turns);
        let window = start.elapsed();
        for (turn, _) in turns.iter_mut().zip(watched).filter(|(_, watched)| *watched) {
            let Member { measuring, child, .. } = &mut self.members[turn.member];
            child.iter().for_each(|child| measuring.stop_probes(child, &mut turn.measured));
        }
        self.tell_apart(&mut turns, window);
        self.conclude(test, turns, interrupted)
    }

    /// Brings every member to the test's depth and warms it up, in shuffled order.
    fn prepare(&mut self, test: Test) -> Result<Vec<Turns>, Halt> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        self.shuffle.shuffle(&mut order);
        let mut turns = Vec::new();
        for index in order {
            let member = &mut self.members[index];
            if !member.measuring.remaining.contains(&test) {
                continue;
            }
            member.open()?;
            let Some(child) = &mut member.child else { continue };
            let mut measured = member.measuring.begun(test);
            let ready = member
                .measuring
                .hold_before(child, test, &mut measured)
                .and_then(|()| member.measuring.prepare_and_warm_up(child, test));
            let end = match ready {
                Ok(warm_up) => {
                    measured.warm_up = Known::Value(warm_up);
                    None
                }
                Err(CallError::Interrupted) => return Err(Halt::Interrupted),
                Err(error) => Some(End::Error(error)),
            };
            let (busy, idle) = (Duration::ZERO, Some((0, Duration::ZERO)));
            turns.push(Turns { member: index, measured, busy, idle, facts: None, end });
        }
        Ok(turns)
    }

    /// Rounds until the group has enough; true when the run was cancelled, with whole rounds kept.
    fn alternate(&mut self, test: Test, turns: &mut [Turns]) -> bool {
        let sampling = self.run.plan.sampling;
        let mut rounds = 0;
        while !enough(turns, &sampling) {
            let mut order: Vec<usize> =
                (0..turns.len()).filter(|&index| turns[index].end.is_none()).collect();
            self.shuffle.shuffle(&mut order);
            for index in order {
                std::thread::sleep(SETTLE);
                let before: Vec<_> = turns.iter().map(|turn| self.cpu_ns(turn)).collect();
                let turn = &mut turns[index];
                let busy = turn.busy;
                let Some(child) = &mut self.members[turn.member].child else { continue };
                let taken = turn.take(child, test, self.run);
                let elapsed = turn.busy - busy;
                for (other, before) in before.into_iter().enumerate() {
                    if other != index && turns[other].end.is_none() {
                        let after = self.cpu_ns(&turns[other]);
                        turns[other].was_idle(before, after, elapsed);
                    }
                }
                if let Err(CallError::Interrupted) = taken {
                    turns.iter_mut().for_each(|turn| turn.measured.samples.truncate(rounds));
                    return true;
                }
                let member = self.members[turns[index].member].measuring.launch.member();
                self.output.event(Event::Turn { member: &member, round: rounds });
            }
            rounds += 1;
        }
        false
    }

    fn cpu_ns(&self, turn: &Turns) -> Option<u64> {
        self.members[turn.member].child.as_ref()?.cpu_ns()
    }

    /// Tells what was a member's own: CPU time of the others is not foreign, energy is nobody's alone, and a member that
    /// computed while it was idle disturbed the others.
    fn tell_apart(&mut self, turns: &mut [Turns], window: Duration) {
        let spent: Vec<Known<f64>> = turns.iter().map(|turn| cpu_ns(&turn.measured)).collect();
        let cores = self.members.first().and_then(|m| m.measuring.cores());
        for (index, turn) in turns.iter_mut().enumerate() {
            let others = spent.iter().enumerate().filter(|(other, _)| *other != index);
            let others = others.map(|(_, spent)| spent.value().copied()).sum::<Option<f64>>();
            turn.correct(cores, window, others);
            turn.measured.readings.push(idle_reading(turn.idle_percent()));
        }
        let restless: Vec<(usize, String)> = turns
            .iter()
            .filter_map(|turn| {
                let percent =
                    *turn.measured.readings.iter().find(|r| r.name == IDLE)?.value.value()?;
                let member = self.members[turn.member].measuring.launch.member();
                let words = format!("disturbed: {member} used {percent:.0} % of a core while idle");
                (percent > RESTLESS).then_some((turn.member, words))
            })
            .collect();
        for turn in turns {
            let Measured { samples, readings, timeline, .. } = &mut turn.measured;
            mark(samples, readings, timeline.as_ref());
            for (_, words) in restless.iter().filter(|(member, _)| *member != turn.member) {
                turn.measured.samples.iter_mut().for_each(|s| s.marks.push(words.clone()));
            }
        }
    }

    fn conclude(&mut self, test: Test, turns: Vec<Turns>, interrupted: bool) -> Result<(), Halt> {
        for turn in turns {
            let member = &mut self.members[turn.member];
            let end = match (turn.end, turn.facts) {
                (Some(end), _) => end,
                (None, _) if interrupted => {
                    let n = turn.measured.samples.len();
                    let message = format!("interrupted after {n} whole rounds");
                    let outcome = Outcome::Failed { kind: FailureKind::Interrupted, message };
                    let Measuring { run, context, .. } = &member.measuring;
                    self.output.record(run, context, test, turn.measured, outcome)?;
                    continue;
                }
                (None, Some(facts)) => End::Sampled(turn.busy, facts),
                (None, None) => End::Flaw("it made no repetition".to_owned()),
            };
            member.conclude(test, turn.measured, end)?;
        }
        if interrupted { Err(Halt::Interrupted) } else { Ok(()) }
    }
}

impl Member<'_, '_, '_> {
    /// Starts a worker if there is work and none is there. A launch that cannot be opened gives its cells up.
    fn open(&mut self) -> Result<(), Halt> {
        if self.child.is_some() || self.measuring.remaining.is_empty() {
            return Ok(());
        }
        match self.measuring.open_or_tell() {
            Ok(child) => self.child = Some(child),
            Err(Halt::All(outcome)) => {
                self.measuring.give_up(&outcome)?;
            }
            Err(halt) => return Err(halt),
        }
        Ok(())
    }

    fn conclude(&mut self, test: Test, measured: Measured, end: End) -> Result<(), Halt> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let loss = self.measuring.conclude(&mut child, test, measured, end)?;
        self.measuring.remaining.retain(|other| *other != test);
        match loss {
            None => self.child = Some(child),
            Some(loss) => self.lost(loss)?,
        }
        Ok(())
    }

    fn lost(&mut self, loss: Loss) -> Result<(), Halt> {
        self.losses += 1;
        if self.losses >= MOST_LOSSES && !self.measuring.remaining.is_empty() {
            self.measuring.give_up(&too_many(self.losses, loss))?;
        }
        Ok(())
    }
}

impl Turns {
    /// One repetition.
    fn take(&mut self, child: &mut Child, test: Test, run: &Run<'_>) -> Result<(), CallError> {
        let once = Sampling { min_repetitions: 1, max_repetitions: 1, ..run.plan.sampling };
        let mut new: Vec<Sample> = Vec::new();
        let start = Instant::now();
        let call = Call::Sample { test, sampling: once };
        let answer = child.call(call, Phase::Sample, run.cancel, &mut |partial| {
            if let Partial::Samples(samples) = partial {
                new.extend(samples);
            }
        });
        let elapsed = start.elapsed();
        self.busy += elapsed;
        let end = match answer {
            Ok(Answer::Sampled { repetitions: 1, facts }) if new.len() == 1 => {
                self.facts = Some(Box::new(facts));
                let taken = Duration::from_nanos(new[0].nanoseconds);
                let flaw = format!("a sample says it took {taken:?}, its call took {elapsed:?}");
                self.measured.samples.append(&mut new);
                (taken > elapsed).then_some(End::Flaw(flaw))
            }
            Ok(other) => Some(End::Error(child.unexpected(Phase::Sample, &other))),
            Err(CallError::Interrupted) => return Err(CallError::Interrupted),
            Err(error) => Some(End::Error(error)),
        };
        self.end = end;
        Ok(())
    }

    /// Takes what the other members did out of what "others" did.
    fn correct(&mut self, cores: Option<f64>, window: Duration, others_ns: Option<f64>) {
        // From moment to moment nobody tells what another member used, and the rest is not foreign.
        if let Some(timeline) = &mut self.measured.timeline {
            timeline.tracks.retain(|track| track.name != "foreign_cpu_percent");
        }
        for reading in &mut self.measured.readings {
            if reading.name == "foreign_cpu_percent" {
                reading.source.push_str(", less the other members of the pair");
                let known = others_ns.zip(cores);
                reading.value = match (reading.value.value(), known) {
                    (Some(percent), Some((others_ns, cores))) => {
                        let share = others_ns / (window.as_nanos() as f64 * cores) * 100.0;
                        Known::Value((percent - share).max(0.0))
                    }
                    (None, _) => continue,
                    (_, None) => Known::unavailable("the CPU time of another member is not known"),
                };
            } else if matches!(reading.unit.as_str(), "J" | "W") {
                let why = "members of a pair took turns: energy of the machine is nobody's alone";
                reading.value = Known::unavailable(why);
            }
        }
    }

    /// Another was in its call for so long.
    fn was_idle(&mut self, before: Option<u64>, after: Option<u64>, elapsed: Duration) {
        self.idle = self.idle.zip(before.zip(after)).map(|((used, window), (before, after))| {
            // Threads that ended took their time with them.
            (used + after.saturating_sub(before), window + elapsed)
        });
    }

    /// CPU time while others were in their calls, of one core.
    fn idle_percent(&self) -> Known<f64> {
        match self.idle {
            None => Known::unavailable("the system does not tell a thread's CPU time"),
            Some((_, window)) if window.is_zero() => {
                Known::unavailable("no other member was measured")
            }
            Some((used, window)) => Known::Value(used as f64 / window.as_nanos() as f64 * 100.0),
        }
    }
}

/// CPU time of a member's process between the first round and the last.
fn cpu_ns(measured: &Measured) -> Known<f64> {
    let value = |name: &str| match measured.readings.iter().find(|r| r.name == name) {
        Some(reading) => reading.value.clone(),
        None => Known::unavailable("no probe reads the CPU time of a process"),
    };
    match (value("cpu_user_ns"), value("cpu_system_ns")) {
        (Known::Value(user), Known::Value(system)) => Known::Value(user + system),
        (Known::Value(_), missing) | (missing, _) => missing,
    }
}

/// The group has enough when each member alone would: all make the same number of repetitions.
fn enough(turns: &[Turns], sampling: &Sampling) -> bool {
    let times: Vec<Vec<u64>> = turns
        .iter()
        .filter(|turn| turn.end.is_none())
        .map(|turn| turn.measured.samples.iter().map(|sample| sample.nanoseconds).collect())
        .collect();
    times.is_empty() || steady::enough_together(&times, sampling)
}
