//! Workloads: what a record keeps beside its raw samples where a test is what people do with a model: a conversation, a queue of
//! requests, several processes at once, a cold start, inputs that are hard.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yardstick_api::Known;

/// What the samples of such a test are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Workload {
    /// Of turns of conversations.
    Chat(Chat),
    /// Of requests that arrived in a queue.
    Serve(Serve),
    /// Of several processes, alone and together.
    Together(Together),
    /// Of starts of a fresh process.
    Cold(Cold),
    /// Of inputs that are hard, each with what should come of it.
    Robust(Robust),
}

/// Conversations, each turn on the kept keys and values and then from scratch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// How its texts became tokens: `the model's own tokenizer`, or that they are made up.
    pub tokens: String,
    /// What each sample is of, in order. Its first emit is the first token of the answer.
    pub turns: Vec<ChatTurn>,
}

/// One timed turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatTurn {
    /// The conversation's name.
    pub conversation: String,
    /// The turn, from 1.
    pub turn: u32,
    /// Keys and values of the turns before were kept; else all of it was prefilled anew.
    pub reused: bool,
    /// Positions that were held already.
    pub held: u64,
    /// Tokens prefilled within the clock.
    pub prompt: u64,
    /// Tokens at the beginning of this answer that are those of the same turn on kept keys and values; of turns from scratch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<u64>,
}

/// Requests that arrive by a seed in a bounded queue, answered together in so many slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// How requests arrive.
    pub arrivals: Arrivals,
    /// Seed of arrivals and lengths.
    pub seed: u64,
    /// Requests answered at once.
    pub slots: u64,
    /// Requests that may wait; one more is turned away.
    pub queue: u64,
    /// Seconds from arrival after which a request is given up.
    pub timeout_seconds: f64,
    /// When a request counts as good.
    pub objective: Objective,
    /// A rate each; of `capacity` the search's, in order.
    pub trials: Vec<Trial>,
}

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Independent of each other: exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
}

/// What a request must keep to be good, and how many must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Longest time from arrival to the first token, milliseconds.
    pub ttft_ms: f64,
    /// Longest mean time from one token to the next, milliseconds.
    pub itl_ms: f64,
    /// Share of all requests that must be good for a rate to be met, percent.
    pub percent: f64,
}

/// One rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Requests per second that were offered.
    pub rate: f64,
    /// Nanoseconds in which there was something to do.
    pub busy_ns: u64,
    /// Nanoseconds in which nobody was there, which were skipped and not waited for.
    pub skipped_ns: u64,
    /// In the order of arrival.
    pub requests: Vec<RequestRun>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestRun {
    /// When it arrived, on the queue's clock, which begins with the trial.
    pub arrived_ns: u64,
    /// Tokens of its prompt.
    pub prompt: u64,
    /// Tokens it asked for.
    pub asked: u64,
    /// How it ended.
    pub fate: Fate,
    /// Its sample: from arrival to its end, its emits since arrival. None of one that was turned away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
    /// What went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// With every token it asked for.
    Done,
    /// The queue was full.
    Rejected,
    /// It took too long.
    TimedOut,
    /// The device failed.
    Failed,
}

/// Several processes on one device, each alone and then all at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// One a process; the first is the cell's own.
    pub members: Vec<Member>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its model.
    pub model: String,
    /// Samples it made alone: the first, and the one after the last.
    pub alone: (u64, u64),
    /// Samples it made while all others did the same.
    pub together: (u64, u64),
}

/// Starts of fresh processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cold {
    /// What each sample is of, in order; a sample lasts from before the start of the process to its first token.
    pub starts: Vec<Start>,
}

/// The parts of one start, by the parent's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// From before the process to its hello.
    pub hello_ns: u64,
    /// From there until the model is resident.
    pub load_ns: u64,
    /// From there until its first token.
    pub first_ns: u64,
    /// Share of the model's file that the page cache held before it, percent; or why that is unknown.
    pub cached_percent: Known<f64>,
}

/// Inputs that are hard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Robust {
    /// One an input.
    pub checks: Vec<Checked>,
}

/// One input and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// Its name: `empty`, `longest`, `overflow`, ...
    pub name: String,
    /// What should come of it.
    pub expected: String,
    /// What came.
    pub found: String,
    /// Whether that is what should; none where it could not be tried, for the reason that was found.
    pub passed: Option<bool>,
}

impl Serve {
    /// The requests of a trial that are good, by their samples.
    pub fn is_good(&self, request: &RequestRun, samples: &[crate::Sample]) -> bool {
        let sample = request.sample.and_then(|at| samples.get(usize::try_from(at).ok()?));
        let Some(sample) = sample.filter(|_| request.fate == Fate::Done) else { return false };
        let Some(&first) = sample.emits_ns.first() else { return false };
        let (ttft, itl) = (first as f64 / 1e6, mean_gap_ms(&sample.emits_ns));
        ttft <= self.objective.ttft_ms && itl.is_none_or(|itl| itl <= self.objective.itl_ms)
    }

    /// Whether a trial meets the objective: so many of all requests are good, and good ones come out as fast as that share of them
    /// came in. Else the queue only grew, and a longer trial would have missed it.
    pub fn is_met(&self, trial: &Trial, samples: &[crate::Sample]) -> bool {
        let good = trial.requests.iter().filter(|request| self.is_good(request, samples)).count();
        let (good, n) = (good as f64, trial.requests.len() as f64);
        let share = self.objective.percent / 100.0;
        n > 0.0 && good >= share * n && good >= share * trial.rate * trial.seconds()
    }
}

impl Trial {
    /// Seconds on the queue's clock, from its start until the last request was gone.
    pub fn seconds(&self) -> f64 {
        self.busy_ns.saturating_add(self.skipped_ns) as f64 / 1e9
    }
}

/// Mean time from one emit to the next, milliseconds; none where there is only one.
pub fn mean_gap_ms(emits_ns: &[u64]) -> Option<f64> {
    let (first, last) = (emits_ns.first()?, emits_ns.last()?);
    let gaps = emits_ns.len().checked_sub(1).filter(|gaps| *gaps > 0)?;
    Some(last.saturating_sub(*first) as f64 / gaps as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    fn sample(emits_ms: &[u64]) -> Sample {
        let emits_ns: Vec<u64> = emits_ms.iter().map(|ms| ms * 1_000_000).collect();
        let nanoseconds = emits_ns.last().copied().unwrap_or(1);
        Sample { started_ns: 0, nanoseconds, tokens: 3, cpu_ns: None, emits_ns, marks: Vec::new() }
    }

    fn request(fate: Fate, sample: Option<u64>) -> RequestRun {
        RequestRun { arrived_ns: 0, prompt: 4, asked: 3, fate, sample, message: None }
    }

    #[test]
    fn a_request_is_good_only_if_it_is_done_and_keeps_both_limits() {
        let serve = Serve {
            arrivals: Arrivals::Poisson,
            seed: 1,
            slots: 2,
            queue: 4,
            timeout_seconds: 9.0,
            objective: Objective { ttft_ms: 100.0, itl_ms: 20.0, percent: 50.0 },
            trials: Vec::new(),
        };
        let samples = [
            sample(&[100, 120, 140]),
            sample(&[101, 102, 103]),
            sample(&[50, 71, 92]),
            sample(&[9]),
        ];
        let good = |fate, at| serve.is_good(&request(fate, at), &samples);
        assert!(good(Fate::Done, Some(0)), "at its limits");
        assert!(!good(Fate::Done, Some(1)), "its first token is late");
        assert!(!good(Fate::Done, Some(2)), "its tokens come slowly");
        assert!(good(Fate::Done, Some(3)), "one token has no gap");
        assert!(!good(Fate::TimedOut, Some(0)) && !good(Fate::Rejected, None));
        assert!(!good(Fate::Done, Some(9)) && !good(Fate::Done, None), "no such sample");
        let trial = |requests| Trial { rate: 1.0, busy_ns: 1, skipped_ns: 2, requests };
        let held_up = |seconds: u64| {
            let requests = vec![request(Fate::Done, Some(0)); 4];
            Trial { rate: 4.0, busy_ns: seconds * 1_000_000_000, skipped_ns: 0, requests }
        };
        assert!(serve.is_met(&held_up(2), &samples), "4 in 2 s are half of 4 a second");
        assert!(!serve.is_met(&held_up(3), &samples), "all are good, but the queue only grew");
        let two = trial(vec![request(Fate::Done, Some(0)), request(Fate::Rejected, None)]);
        assert!(serve.is_met(&two, &samples), "half of them, as asked");
        assert!(!serve.is_met(&trial(Vec::new()), &samples), "nobody is not everybody");
        assert!((two.seconds() - 3e-9).abs() < 1e-18);
    }
}
