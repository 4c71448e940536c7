//! Turns: every cell one repetition without its profile and one with it, in an order shuffled anew each round, with a rest
//! between turns so that spinning threads of the others have gone to sleep.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use yardstick_analyse::profile::Round;
use yardstick_api::{Backend, Device, Error, Facts, OperationTime, Options, Session};
use yardstick_model::Model;
use yardstick_record::{Sample, Test};

use crate::plan::Shuffle;
use crate::timed::{ProfiledPass, Repetition, Work};

/// A cell that is asked for.
pub struct Asked<'b> {
    /// The backend.
    pub backend: &'b dyn Backend,
    /// The device.
    pub device: &'b Device,
    /// The model.
    pub model: &'b Arc<Model>,
    /// Options; context and profile are set here.
    pub options: Options,
    /// `ppN` or `tgN`.
    pub test: Test,
}

/// A cell with both its sessions, filled to the test's depth and warm.
pub struct Member {
    work: Work,
    headline: Box<dyn Session>,
    profiled: Box<dyn Session>,
    epoch: Instant,
    /// The profile of a device that tells it only once.
    once: Option<Vec<ProfiledPass>>,
}

/// What a member's rounds gave.
#[derive(Debug, Default)]
pub struct Taken {
    /// One a round.
    pub rounds: Vec<Round>,
    /// Passes of the last profiled repetition.
    pub last: Vec<ProfiledPass>,
    /// The device told its operations once: every round has the same.
    pub told_once: bool,
}

/// Between turns.
const REST: Duration = Duration::from_millis(5);

/// Loads a cell twice, fills both sessions, and runs each once. What does not fit into memory twice is refused by `plan`.
///
/// # Errors
/// What loading says; [`Error::Device`] where the device does not time its operations.
pub fn open(asked: &Asked<'_>) -> Result<Member, Error> {
    let mut options = asked.options.clone();
    options.context = Some(asked.options.context.unwrap_or(0).max(asked.test.positions()));
    let load = |profile| {
        let options = Options { profile, ..options.clone() };
        asked.backend.load(asked.device, asked.model, &options)
    };
    let (headline, profiled) = (load(false)?, load(true)?);
    let work = Work::new(asked.test, 1, asked.model.architecture().vocab);
    let mut member = Member { work, headline, profiled, epoch: Instant::now(), once: None };
    for session in [&mut member.headline, &mut member.profiled] {
        member.work.fill(session.as_mut(), 0, &mut |_, _| ControlFlow::Continue(()))?;
    }
    member.plain()?;
    thread::sleep(REST);
    // Not asked yet: a device that tells its operations once must not tell the cold ones.
    member.work.repeat_profiled(member.profiled.as_mut(), false)?;
    Ok(member)
}

impl Member {
    /// What really runs.
    pub fn facts(&self) -> Facts {
        self.headline.facts()
    }

    /// Forward calls of a repetition.
    pub fn passes(&self) -> usize {
        self.work.passes()
    }

    fn plain(&mut self) -> Result<Sample, Error> {
        match self.work.repeat(self.headline.as_mut(), self.epoch, &|| false)? {
            Repetition::Whole(sample) => Ok(sample),
            Repetition::Stopped => Err(Error::Device("the repetition was stopped".to_owned())),
        }
    }

    fn with_profile(&mut self) -> Result<Vec<ProfiledPass>, Error> {
        if let Some(known) = &self.once {
            return Ok(known.clone());
        }
        let passes = self.work.repeat_profiled(self.profiled.as_mut(), true)?;
        let told = passes.iter().filter(|pass| !pass.operations.is_empty()).count();
        if told == 0 {
            let message = "this device does not time its operations".to_owned();
            return Err(Error::Device(message));
        }
        if told < passes.len() || (passes.len() == 1 && self.tells_once()) {
            // The first pass stands for all: scaled, so that a repetition has all of its passes.
            let first: Vec<ProfiledPass> =
                passes.iter().filter(|pass| !pass.operations.is_empty()).cloned().collect();
            let whole: Vec<ProfiledPass> =
                first.iter().cycle().take(passes.len()).cloned().collect();
            self.once = Some(whole.clone());
            return Ok(whole);
        }
        Ok(passes)
    }

    /// Asked again, it has nothing to tell.
    fn tells_once(&mut self) -> bool {
        self.profiled.profile().is_none()
    }
}

/// `rounds` rounds of all members; `watch` is told when a profiled repetition of a member begins and ends, and stops between
/// rounds.
///
/// # Errors
/// What a session says.
pub fn take_turns(
    members: &mut [Member],
    rounds: usize,
    watch: &mut dyn FnMut(Moment) -> ControlFlow<()>,
) -> Result<Vec<Taken>, Error> {
    let mut taken: Vec<Taken> = members.iter().map(|_| Taken::default()).collect();
    let mut shuffle = Shuffle::new(rounds as u64);
    for round in 0..rounds {
        if watch(Moment::Round(round)).is_break() {
            break;
        }
        let mut turns: Vec<(usize, bool)> =
            (0..members.len()).flat_map(|member| [(member, false), (member, true)]).collect();
        shuffle.shuffle(&mut turns);
        let mut found: Vec<(Option<Sample>, Vec<ProfiledPass>)> =
            members.iter().map(|_| (None, Vec::new())).collect();
        for (at, with) in turns {
            thread::sleep(REST);
            match with {
                false => found[at].0 = Some(members[at].plain()?),
                true => {
                    let _ = watch(Moment::Begins(at));
                    found[at].1 = members[at].with_profile()?;
                    let _ = watch(Moment::Ends(at));
                }
            }
        }
        for ((taken, member), (sample, passes)) in taken.iter_mut().zip(&*members).zip(found) {
            let Some(sample) = sample else { continue };
            taken.rounds.push(together(&sample, &passes));
            taken.told_once = member.once.is_some();
            taken.last = passes;
        }
    }
    Ok(taken)
}

/// What happens while turns are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A round begins.
    Round(usize),
    /// A member's profiled repetition begins.
    Begins(usize),
    /// It has ended.
    Ends(usize),
}

fn together(sample: &Sample, passes: &[ProfiledPass]) -> Round {
    let operations: Vec<OperationTime> =
        passes.iter().flat_map(|pass| pass.operations.iter().cloned()).collect();
    let wall: u64 = passes.iter().map(|pass| pass.nanoseconds).sum();
    Round {
        headline_ns: sample.nanoseconds as f64,
        wall_ns: wall as f64,
        operations: sums(operations),
    }
}

/// Operations of one name and layer as one, in the order they first ran.
fn sums(operations: Vec<OperationTime>) -> Vec<OperationTime> {
    let mut places = std::collections::HashMap::new();
    let mut sums: Vec<OperationTime> = Vec::new();
    for one in operations {
        let next = sums.len();
        let place = *places.entry((one.name.clone(), one.layer)).or_insert(next);
        match sums.get_mut(place) {
            Some(sum) => sum.add(&one),
            None => sums.push(one),
        }
    }
    sums
}
