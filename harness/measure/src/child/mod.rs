//! The parent's end of one worker process: starting it, calling it, ending it, and saying how it ended.

mod cpu;
mod end;
mod group;
mod memory;
mod strays;
mod tail;

use std::io::{BufReader, Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use yardstick_record::{FailureKind, Phase, Sample};

use crate::protocol::{
    Answer, Call, FaultKind, Line, MAX_LINE, Message, Request, VERSION, read_line,
};
use crate::runner::WorkerCommand;
use crate::suite::Deadlines;
use end::Ending;
use strays::Mark;
use tail::Tail;
pub(crate) use tail::escape;

/// How often deadlines and the cancel flag are looked at. Every look wakes the parent, so not too often.
const LOOK: Duration = Duration::from_millis(100);
/// Time a cancelled call gets to hand over what it has.
const CANCEL_GRACE: Duration = Duration::from_millis(500);
/// What Rust's most common thread pool takes its size from.
const POOL_THREADS: &str = "RAYON_NUM_THREADS";
/// Messages kept for a parent that is slower than its worker; more makes the worker wait.
const BACKLOG: usize = 64;

/// A worker process. Dropping it kills its process group and reaps it.
pub(crate) struct Child {
    process: std::process::Child,
    requests: Option<ChildStdin>,
    messages: Receiver<Incoming>,
    stderr: Tail,
    mark: Mark,
    /// Kernel's count of processes killed for memory when this one started.
    memory_kills: Option<u64>,
    next_id: u64,
    last_heard: Instant,
    greeted: Instant,
    deadlines: Deadlines,
}

/// What the reading thread found.
enum Incoming {
    Message(Box<Message>),
    /// Breaks the protocol, and how.
    Broken(String),
    End,
}

/// Why a call did not give an answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The call failed, the worker lives.
    Fault { kind: FaultKind, message: String, fix: Option<String> },
    /// The worker is gone.
    Lost(Loss),
    /// The run was cancelled; what the worker had came before.
    Interrupted,
}

/// How a worker was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

/// What a worker said of itself, fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) backends: Vec<String>,
}

/// Characters kept of a worker's name and version.
const LONGEST_TITLE: usize = 100;

impl CallError {
    /// A worker that speaks the protocol and is not used for what it says of itself.
    pub(crate) fn refused(message: String) -> CallError {
        CallError::Lost(Loss { kind: FailureKind::Protocol, message })
    }
}

/// What comes before a call's answer.
pub(crate) enum Partial {
    Samples(Vec<Sample>),
    Progress { done: u64, total: u64 },
}

impl Child {
    /// Starts a worker in a process group of its own and greets it.
    pub(crate) fn start(
        command: &WorkerCommand,
        deadlines: &Deadlines,
        cancel: &AtomicBool,
    ) -> Result<(Child, Hello), CallError> {
        Child::start_with_threads(command, None, deadlines, cancel)
    }

    /// As [`Child::start`], for a session of so many threads: libraries with one pool a process read it when they start.
    pub(crate) fn start_with_threads(
        command: &WorkerCommand,
        threads: Option<usize>,
        deadlines: &Deadlines,
        cancel: &AtomicBool,
    ) -> Result<(Child, Hello), CallError> {
        let mut child = Child::spawn(command, threads, deadlines).map_err(|error| {
            let message = format!("cannot start {}: {error}", command.program.display());
            let kind = FailureKind::Exit { code: 127, phase: Phase::Hello };
            CallError::Lost(Loss { kind, message })
        })?;
        let hello = Call::Hello { protocol: VERSION };
        match child.call(hello, Phase::Hello, cancel, &mut |_| {})? {
            Answer::Hello { protocol: VERSION, name, version, backends } => {
                child.greeted = Instant::now();
                let short = |text: String| escape(&text).chars().take(LONGEST_TITLE).collect();
                Ok((child, Hello { name: short(name), version: short(version), backends }))
            }
            Answer::Hello { protocol, .. } => {
                let message = format!("speaks protocol {protocol}, expected {VERSION}");
                Err(child.violation(Phase::Hello, &message))
            }
            other => Err(child.unexpected(Phase::Hello, &other)),
        }
    }

    fn spawn(
        command: &WorkerCommand,
        threads: Option<usize>,
        deadlines: &Deadlines,
    ) -> std::io::Result<Child> {
        let memory_kills = memory::kills();
        let mut start = Command::new(&command.program);
        if let Some(threads) = threads {
            start.env(POOL_THREADS, threads.to_string());
        }
        start
            .args(&command.arguments)
            // A backtrace would push the panic's message out of the few lines a record keeps.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        group::own(&mut start);
        let mark = Mark::put(&mut start);
        let mut process = start.spawn()?;
        let requests = process.stdin.take();
        let stdout = process.stdout.take().expect("stdout was asked to be piped");
        let stderr = process.stderr.take().expect("stderr was asked to be piped");
        let (sender, messages) = mpsc::sync_channel(BACKLOG);
        std::thread::spawn(move || read_messages(stdout, &sender));
        Ok(Child {
            process,
            requests,
            messages,
            stderr: Tail::follow(stderr),
            mark,
            memory_kills,
            next_id: 1,
            last_heard: Instant::now(),
            greeted: Instant::now(),
            deadlines: deadlines.clone(),
        })
    }

    /// When it answered the hello: about where its clock of samples began.
    pub(crate) fn greeted(&self) -> Instant {
        self.greeted
    }

    /// The worker's process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// CPU time of all its threads so far, where the system tells it in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> Option<u64> {
        cpu::time_ns(self.process.id())
    }

    /// Makes one call and waits for its answer, the phase's deadline, the worker's end or the cancel flag.
    pub(crate) fn call(
        &mut self,
        call: Call,
        phase: Phase,
        cancel: &AtomicBool,
        partial: &mut dyn FnMut(Partial),
    ) -> Result<Answer, CallError> {
        let extra = match &call {
            Call::WarmUp { seconds, .. } => Duration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        };
        let allowed = self.deadlines.of(phase) + extra.unwrap_or_default();
        let id = self.send(call, phase)?;
        let (start, mut cancelled) = (Instant::now(), None);
        self.last_heard = start;
        loop {
            match self.messages.recv_timeout(LOOK) {
                Ok(Incoming::Message(message)) => {
                    self.last_heard = Instant::now();
                    if let Some(answer) = self.take(*message, id, phase, partial)? {
                        return if cancelled.is_some() {
                            Err(CallError::Interrupted)
                        } else {
                            Ok(answer)
                        };
                    }
                }
                Ok(Incoming::Broken(how)) => return Err(self.violation(phase, &how)),
                Ok(Incoming::End) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(if cancelled.is_some() {
                        CallError::Interrupted
                    } else {
                        self.left(phase)
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if cancel.load(Ordering::Relaxed) && cancelled.is_none() {
                cancelled = Some(Instant::now());
                let _ = self.send(Call::Cancel, phase);
            }
            if cancelled.is_some_and(|since| since.elapsed() > CANCEL_GRACE) {
                return Err(CallError::Interrupted);
            }
            if start.elapsed() > allowed {
                return Err(self.late(phase, &format!("took longer than {allowed:?}")));
            }
            if self.last_heard.elapsed() > self.deadlines.heartbeat {
                let silence = format!("sent nothing for {:?}", self.deadlines.heartbeat);
                return Err(self.late(phase, &silence));
            }
        }
    }

    fn send(&mut self, call: Call, phase: Phase) -> Result<u64, CallError> {
        let id = self.next_id;
        self.next_id += 1;
        let mut line = serde_json::to_vec(&Request { id, call }).expect("a request is plain data");
        line.push(b'\n');
        let sent = self.requests.as_mut().map(|pipe| pipe.write_all(&line).and(pipe.flush()));
        match sent {
            Some(Ok(())) => Ok(id),
            _ => Err(self.left(phase)),
        }
    }

    /// The answer, if the message is one.
    fn take(
        &mut self,
        message: Message,
        id: u64,
        phase: Phase,
        partial: &mut dyn FnMut(Partial),
    ) -> Result<Option<Answer>, CallError> {
        let of = match &message {
            Message::Heartbeat { .. } => return Ok(None),
            Message::Reply { id, .. }
            | Message::Fault { id, .. }
            | Message::Samples { id, .. }
            | Message::Progress { id, .. } => *id,
        };
        if of != id {
            return Err(self.violation(phase, &format!("a message for call {of} during call {id}")));
        }
        match message {
            Message::Reply { answer, .. } => return Ok(Some(*answer)),
            Message::Fault { kind, message, fix, .. } => {
                let (message, fix) = (escape(&message), fix.map(|fix| escape(&fix)));
                return Err(CallError::Fault { kind, message, fix });
            }
            Message::Samples { samples, .. } => partial(Partial::Samples(samples)),
            Message::Progress { done, total, .. } => partial(Partial::Progress { done, total }),
            Message::Heartbeat { .. } => {}
        }
        Ok(None)
    }

    /// An answer to another question.
    pub(crate) fn unexpected(&mut self, phase: Phase, answer: &Answer) -> CallError {
        let name = format!("{answer:?}").chars().take(60).collect::<String>();
        self.violation(phase, &format!("answered {name}"))
    }

    fn violation(&mut self, phase: Phase, how: &str) -> CallError {
        self.kill();
        let what = format!("the worker broke the protocol while {}: {how}", end::doing(phase));
        let message = self.with_stderr(tail::escape(&what));
        CallError::Lost(Loss { kind: FailureKind::Protocol, message })
    }

    fn late(&mut self, phase: Phase, how: &str) -> CallError {
        self.kill();
        let what = format!("{} {how}; the worker was killed", end::doing(phase));
        let message = self.with_stderr(what);
        CallError::Lost(Loss { kind: FailureKind::Timeout { phase }, message })
    }

    /// The worker closed its output or does not read: it has left or is leaving by itself.
    fn left(&mut self, phase: Phase) -> CallError {
        if !group::wait(&mut self.process, self.deadlines.stop) {
            return self.violation(phase, "closed its output without leaving");
        }
        let status = group::finish(&mut self.process);
        let stderr = self.stderr.text();
        let more_kills = memory::kills() > self.memory_kills;
        let Ending { kind, message } = end::classify(status, phase, &stderr, more_kills);
        CallError::Lost(Loss { kind, message: self.with_stderr(message) })
    }

    fn with_stderr(&self, message: String) -> String {
        match self.stderr.last_lines() {
            lines if lines.is_empty() => message,
            lines => format!("{message}; it wrote: {lines}"),
        }
    }

    /// Asks the worker to leave, and kills what does not.
    pub(crate) fn stop(mut self) {
        let never = AtomicBool::new(false);
        let _ = self.call(Call::Stop, Phase::Stop, &never, &mut |_| {});
        self.requests = None;
        group::wait(&mut self.process, self.deadlines.stop);
    }

    fn kill(&mut self) {
        self.requests = None;
        group::terminate(&mut self.process);
        if !group::wait(&mut self.process, self.deadlines.stop.min(Duration::from_secs(2))) {
            group::kill(&mut self.process);
        }
        group::finish(&mut self.process);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.requests = None;
        group::finish(&mut self.process);
        self.mark.kill_all();
    }
}

fn read_messages(stdout: impl Read, messages: &SyncSender<Incoming>) {
    let mut input = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let incoming = match read_line(&mut input, MAX_LINE) {
            Ok(Line::Text(text)) => parse(&text),
            Ok(Line::End) | Err(_) => Incoming::End,
            Ok(Line::Cut) => Incoming::End,
            Ok(Line::TooLong) => Incoming::Broken(format!("a line longer than {MAX_LINE} bytes")),
            Ok(Line::NotText) => Incoming::Broken("a line that is not UTF-8".to_owned()),
        };
        let last = !matches!(incoming, Incoming::Message(_));
        if messages.send(incoming).is_err() || last {
            return;
        }
    }
}

fn parse(text: &str) -> Incoming {
    match serde_json::from_str(text) {
        Ok(message) => Incoming::Message(Box::new(message)),
        Err(error) => {
            let start: String = text.chars().take(80).collect();
            Incoming::Broken(format!("not a message ({error}): {start}"))
        }
    }
}
