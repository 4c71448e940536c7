//! The worker protocol: JSON lines over stdio. backends/PROTOCOL.md is the contract; these types are its grammar.

mod line;

use serde::{Deserialize, Serialize};
use yardstick_api::verify::Generated;
use yardstick_api::{
    DeviceStatus, Facts, Footprint, Known, Limit, Numerics, Options, Profile, Reached, Token,
};
use yardstick_record::{Fate, Sample, Test, WarmUp};

use crate::suite::Sampling;

pub use line::{Line, read_line};

/// Version of the protocol. A worker of another version is refused at its hello.
pub const VERSION: u32 = 1;
/// Longest line either side accepts, without its newline.
pub const MAX_LINE: usize = 16 << 20;

/// Parent to worker: one call. Ids grow by one; replies carry the id of their call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Identifies the reply.
    pub id: u64,
    /// What to do.
    pub call: Call,
}

/// What a worker can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// First call: who are you?
    Hello {
        /// The parent's [`VERSION`].
        protocol: u32,
    },
    /// The devices of one backend.
    Devices {
        /// Its name, one of the hello's.
        backend: String,
    },
    /// What the model would take.
    Plan(Load),
    /// Make the model resident, in place of any other.
    Load(Load),
    /// Run the verification script and write what was answered.
    Observe {
        /// Where to.
        file: String,
    },
    /// Run the verification script as the reference and write the answers.
    Expect {
        /// What the device under test generated, to be judged.
        generated: Generated,
        /// Where to.
        file: String,
    },
    /// Bring every sequence to the test's depth.
    Prepare {
        /// The test.
        test: Test,
    },
    /// Repeat the test until steady.
    WarmUp {
        /// The test.
        test: Test,
        /// Longest time.
        seconds: f64,
    },
    /// Repeat the test and send the samples.
    Sample {
        /// The test.
        test: Test,
        /// When to stop.
        sampling: Sampling,
    },
    /// Measure a limit of a device; nothing needs to be loaded.
    Ceiling {
        /// Device id.
        device: String,
        /// Which limit.
        limit: Limit,
        /// Threads that take part; null for as many as a session would use.
        threads: Option<usize>,
    },
    /// Greedy generation after a prompt, in sequence 0, which is emptied first.
    Generate {
        /// The prompt; not empty.
        tokens: Vec<Token>,
        /// Tokens to generate.
        n: usize,
    },
    /// The logits of positions of a prompt, little-endian f32, (tokens - skip, vocab).
    Logits {
        /// The prompt; not empty.
        tokens: Vec<Token>,
        /// One token a call instead of all at once.
        step: bool,
        /// Tokens at its beginning that sequence 0 still holds from the call before; the others are run.
        #[serde(default, skip_serializing_if = "is_zero")]
        held: usize,
        /// Positions at its beginning whose logits are not wanted; at least `held`.
        #[serde(default, skip_serializing_if = "is_zero")]
        skip: usize,
        /// Where to.
        file: String,
    },
    /// From a prompt to an answer, both text: greedy, in sequence 0, which is emptied first. One repetition is timed.
    Complete {
        /// The prompt; not empty.
        prompt: String,
        /// Tokens of the longest answer.
        n: usize,
        /// The answer ends before the first of these.
        stop: Vec<String>,
    },
    /// A conversation: each turn is prefilled and answered, timed, in sequence 0, which is emptied first.
    Chat {
        /// In order; not empty.
        turns: Vec<Turn>,
        /// Keys and values of the turns before are kept; else each turn starts from an empty sequence.
        reuse: bool,
    },
    /// Requests that arrive in a bounded queue and are answered together, in as many slots as there are sequences.
    Serve(Queue),
    /// Drop the model and keep the worker.
    Unload,
    /// Per-operation times of the last call, for sessions loaded with `profile`.
    Profile,
    /// End the call under way early, keeping what it has. Has no reply of its own.
    Cancel,
    /// Drop everything and leave.
    Stop,
}

/// A turn of a conversation, as tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// What is new since the turn before; not empty.
    pub prompt: Vec<Token>,
    /// Tokens to generate; at least one.
    pub n: usize,
    /// What the conversation goes on with in place of what was generated; appended outside the clock.
    pub reply: Vec<Token>,
}

/// A queue of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// In the order of arrival.
    pub requests: Vec<Arriving>,
    /// Requests that may wait; one more is turned away.
    pub waiting: usize,
    /// From arrival until it is given up, nanoseconds.
    pub timeout_ns: u64,
}

/// A request and when it arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arriving {
    /// On the queue's clock, which begins with the call and skips the time in which nobody is there.
    pub at_ns: u64,
    /// Its prompt; not empty.
    pub prompt: Vec<Token>,
    /// Tokens it asks for; at least one.
    pub n: usize,
}

/// A model on a device with options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Device id.
    pub device: String,
    /// Path of the GGUF file.
    pub model: String,
    /// Everything decided at load.
    pub options: Options,
}

/// Worker to parent: a reply, a fault in place of one, or an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// The call succeeded.
    Reply {
        /// Of the call.
        id: u64,
        /// What came of it.
        answer: Box<Answer>,
    },
    /// The call failed; the worker lives on.
    Fault {
        /// Of the call.
        id: u64,
        /// Which way.
        kind: FaultKind,
        /// For a person.
        message: String,
        /// One line that would change that.
        fix: Option<String>,
    },
    /// Samples of the call under way, in order, each sent once.
    Samples {
        /// Of the `sample` call.
        id: u64,
        /// New ones.
        samples: Vec<Sample>,
    },
    /// How far the call under way is.
    Progress {
        /// Of the call.
        id: u64,
        /// Steps done.
        done: u64,
        /// Steps in all, 0 where unknown.
        total: u64,
    },
    /// Twice a second, from a thread of its own.
    Heartbeat {
        /// Counts up.
        beat: u64,
    },
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To `hello`.
    Hello {
        /// The worker's protocol version.
        protocol: u32,
        /// Program name.
        name: String,
        /// Program version.
        version: String,
        /// Its backends.
        backends: Vec<String>,
    },
    /// To `devices`.
    Devices {
        /// Usable or not.
        devices: Vec<DeviceStatus>,
    },
    /// To `plan`; a fault of kind `unsupported` says why not.
    Planned {
        /// Memory it would take.
        footprint: Footprint,
    },
    /// To `load`.
    Loaded {
        /// What really runs.
        facts: Facts,
        /// From a closed file to a resident model.
        load_ns: u64,
    },
    /// To `observe`; the file is complete.
    Observed {
        /// Numerics class that sets the limits.
        numerics: Numerics,
        /// What was generated, as in the file.
        generated: Generated,
    },
    /// To `observe`, by a device that gives no logits: it is measured as unverified, and never ranked.
    Unverifiable {
        /// What is missing: `no logits`.
        reason: String,
    },
    /// To `expect`; the file is complete.
    Expected,
    /// To `prepare`.
    Prepared,
    /// To `warm_up`.
    WarmedUp {
        /// How it went.
        warm_up: WarmUp,
    },
    /// To `sample`, after all samples were sent.
    Sampled {
        /// How many.
        repetitions: u32,
        /// What really ran, again: a session may have changed its mind.
        facts: Facts,
    },
    /// To `ceiling`.
    Ceiling {
        /// The best, or why there is none.
        reached: Known<Reached>,
    },
    /// To `generate`.
    Generated {
        /// The ids.
        ids: Vec<Token>,
    },
    /// To `logits`; the file is complete.
    Logits {
        /// Positions.
        rows: usize,
        /// Row length.
        vocab: usize,
    },
    /// To `complete`.
    Completed {
        /// The answer, without what ended it; bytes that are no characters are replaced.
        text: String,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens generated.
        tokens: usize,
        /// Why it ended.
        ended: Ended,
        /// From the prompt's text to the answer's.
        sample: Sample,
    },
    /// To `chat`.
    Chatted {
        /// One a turn: its first emit is the first token.
        samples: Vec<Sample>,
        /// What was generated, a list a turn.
        ids: Vec<Vec<Token>>,
    },
    /// To `serve`.
    Served {
        /// In the order of arrival.
        requests: Vec<Gone>,
        /// Time in which there was something to do, nanoseconds.
        busy_ns: u64,
        /// Time that was skipped.
        skipped_ns: u64,
    },
    /// To `unload`.
    Unloaded,
    /// To `profile`.
    Profile {
        /// If the session records one.
        profile: Option<Profile>,
    },
    /// To `stop`, just before the worker leaves.
    Stopped,
}

/// A request that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// How it ended.
    pub fate: Fate,
    /// From its arrival to its end, its emits since its arrival; none of one that was turned away.
    pub sample: Option<Sample>,
    /// What went wrong, where something did.
    pub message: Option<String>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The model ended it: by the token for the end of a text, or another control token.
    End,
    /// One of the stops came.
    Stop,
    /// It has as many tokens as it may.
    Length,
}

impl Ended {
    /// The word a record keeps.
    pub fn name(self) -> &'static str {
        match self {
            Ended::End => "end",
            Ended::Stop => "stop",
            Ended::Length => "length",
        }
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Which way a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The combination cannot run here: a skip.
    Unsupported,
    /// The call broke the contract: an unknown device, no session.
    Invalid,
    /// The model file is at fault.
    Model,
    /// An allocation failed.
    OutOfMemory,
    /// The device went away; the parent starts another process.
    DeviceLost,
    /// It would run elsewhere than asked: an invalid cell.
    Misplaced,
    /// Anything else the device reports.
    Device,
    /// The file asked for cannot be written.
    Io,
}

#[cfg(test)]
mod tests;
