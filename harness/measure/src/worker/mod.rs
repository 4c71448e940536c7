//! The worker: the child side of the protocol. One thread serves calls in order; one reads requests, so that a cancel
//! and the parent's end are noticed during a call; one sends heartbeats.

mod calls;
mod output;
mod stdio;

use std::io::{BufReader, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use yardstick_api::Backend;

use crate::protocol::{Call, Line, MAX_LINE, Message, Request, read_line};
use output::Output;

/// Time between heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Serves the protocol on this process's stdio until told to stop or until the parent is gone.
pub fn serve_stdio(backends: &[&dyn Backend]) -> ExitCode {
    stdio::behave_as_child();
    let (input, output) = match stdio::take() {
        Ok(ends) => ends,
        Err(error) => {
            eprintln!("worker: cannot take over stdio: {error}");
            return ExitCode::FAILURE;
        }
    };
    // A call may never return, so the end of the parent ends the process from the reading thread.
    match serve(backends, input, output, || std::process::exit(0)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A line that is no request.
    #[error("not a request: {0}")]
    Request(String),
    /// The parent does not read any more.
    #[error("the parent is gone: {0}")]
    Output(#[from] std::io::Error),
}

/// Serves the protocol on any two ends. `gone` is called from the reading thread when input ends without a `stop`.
pub fn serve(
    backends: &[&dyn Backend],
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    gone: impl FnOnce() + Send + 'static,
) -> Result<(), ServeError> {
    let output = Output::new(output);
    let cancelled = Arc::new(AtomicU64::new(0));
    let (requests, incoming) = mpsc::channel();
    let flag = Arc::clone(&cancelled);
    std::thread::spawn(move || {
        let stopped = read_requests(input, &requests, &flag);
        if !stopped {
            gone();
        }
    });
    let (alive, watched) = mpsc::channel();
    let beats = output.clone();
    std::thread::spawn(move || send_heartbeats(&beats, &watched));
    let result = serve_calls(backends, &output, &incoming, &cancelled);
    drop::<Sender<()>>(alive);
    result
}

/// Calls with an id below `cancelled` are cancelled: a cancel's own id is above the call's it means.
fn read_requests(
    input: impl Read,
    requests: &Sender<Result<Request, String>>,
    cancelled: &AtomicU64,
) -> bool {
    let mut input = BufReader::with_capacity(1 << 16, input);
    loop {
        let request = match read_line(&mut input, MAX_LINE) {
            Ok(Line::Text(text)) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            Ok(Line::End | Line::Cut) | Err(_) => return false,
            Ok(Line::TooLong) => Err(format!("a line longer than {MAX_LINE} bytes")),
            Ok(Line::NotText) => Err("a line that is not UTF-8".to_owned()),
        };
        match request {
            Ok(Request { id, call: Call::Cancel }) => cancelled.store(id, Ordering::Relaxed),
            request => {
                let last = matches!(request, Ok(Request { call: Call::Stop, .. }) | Err(_));
                if requests.send(request).is_err() || last {
                    return true;
                }
            }
        }
    }
}

fn send_heartbeats(output: &Output, alive: &Receiver<()>) {
    let mut beat = 0;
    while let Err(RecvTimeoutError::Timeout) = alive.recv_timeout(HEARTBEAT) {
        beat += 1;
        if output.send(&Message::Heartbeat { beat }).is_err() {
            return;
        }
    }
}

fn serve_calls(
    backends: &[&dyn Backend],
    output: &Output,
    incoming: &Receiver<Result<Request, String>>,
    cancelled: &AtomicU64,
) -> Result<(), ServeError> {
    let mut calls = calls::Calls::new(backends, output.clone());
    for request in incoming {
        let Request { id, call } = request.map_err(ServeError::Request)?;
        let stop = matches!(call, Call::Stop);
        let stopped = || cancelled.load(Ordering::Relaxed) > id;
        let message = match calls.answer(id, call, &stopped) {
            Ok(answer) => Message::Reply { id, answer: Box::new(answer) },
            Err(fault) => fault.message(id),
        };
        output.send(&message)?;
        if stop {
            break;
        }
    }
    Ok(())
}
