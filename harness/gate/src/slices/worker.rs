//! One slice worker: a process that answers requests, or is killed when it does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use yardstick_api::slices::{Answer, Request, VERSION};

use crate::{Arm, Error, Program};

/// Longest answer.
const LONGEST: u64 = 16 << 20;
/// Time an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes kept of what it says on stderr.
const SAID: usize = 4096;

/// A running worker; dropping it kills it.
pub(super) struct Worker {
    arm: Arm,
    process: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: Arc<Mutex<Vec<u8>>>,
    /// When it is killed, if it is waited for; told of changes.
    deadline: Arc<(Mutex<Deadline>, Condvar)>,
    reader: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Deadline {
    None,
    At(Instant),
    Missed,
    Over,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// Starts it and greets it.
    pub(super) fn start(arm: Arm, program: &Program) -> Result<Worker, Error> {
        let mut command = program.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command
            .spawn()
            .map_err(|error| Error::of(arm, format!("cannot start {program}: {error}")))?;
        let pipes = process.stdin.take().zip(process.stdout.take()).zip(process.stderr.take());
        let Some(((input, output), stderr)) = pipes else {
            return Err(Error::of(arm, format!("{program}: no pipes")));
        };
        let said = Arc::new(Mutex::new(Vec::new()));
        let reader = Some(listen(stderr, Arc::clone(&said)));
        let process = Arc::new(Mutex::new(process));
        let deadline = Arc::new((Mutex::new(Deadline::None), Condvar::new()));
        watch(Arc::clone(&process), Arc::clone(&deadline));
        let (input, output) = (Some(input), BufReader::new(output));
        let mut worker = Worker { arm, process, input, output, said, deadline, reader };
        match worker.ask(&Request::Hello { slices: VERSION })? {
            Answer::Hello { slices: VERSION, .. } => Ok(worker),
            other => Err(worker.unexpected(&other)),
        }
    }

    /// One request and its answer; a fault is an error.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        self.set(Deadline::At(Instant::now() + PATIENCE));
        let answer = self.exchange(request);
        let missed = *locked(&self.deadline.0) == Deadline::Missed;
        self.set(Deadline::None);
        match answer {
            _ if missed => {
                let seconds = PATIENCE.as_secs();
                Err(Error::of(self.arm, format!("no answer to {request:?} within {seconds} s")))
            }
            Ok(line) => match serde_json::from_str(&line) {
                Ok(Answer::Fault { message }) => Err(Error::of(self.arm, message)),
                Ok(answer) => Ok(answer),
                Err(error) => {
                    let shown: String = line.trim_end().chars().take(200).collect();
                    let what = format!("{shown:?} is no answer of a slice worker: {error}");
                    Err(Error::of(self.arm, what))
                }
            },
            Err(why) => Err(self.lost(&why)),
        }
    }

    fn exchange(&mut self, request: &Request) -> Result<String, String> {
        let line = serde_json::to_string(request).map_err(|error| error.to_string())? + "\n";
        let input = self.input.as_mut().ok_or("its input is closed")?;
        input.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        let mut output = (&mut self.output).take(LONGEST);
        match output.read_line(&mut answer) {
            Ok(_) if answer.ends_with('\n') => Ok(answer),
            Ok(_) if answer.len() as u64 == LONGEST => Err("a line of more than 16 MiB".to_owned()),
            Ok(_) => Err("it ended".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How it ended and its last words.
    fn lost(&mut self, why: &str) -> Error {
        self.input = None;
        let until = Instant::now() + Duration::from_secs(2);
        let mut status = None;
        while status.is_none() && Instant::now() < until {
            status = locked(&self.process).try_wait().ok().flatten();
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = status.map_or_else(|| why.to_owned(), |status| status.to_string());
        let _ = locked(&self.process).kill();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let said = String::from_utf8_lossy(&locked(&self.said)).trim().to_owned();
        let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
        Error::of(self.arm, format!("crashed: {status}: {said}"))
    }

    /// An answer to something else.
    pub(super) fn unexpected(&self, answer: &Answer) -> Error {
        let shown: String = format!("{answer:?}").chars().take(200).collect();
        Error::of(self.arm, format!("answered out of turn: {shown}"))
    }

    fn set(&self, deadline: Deadline) {
        *locked(&self.deadline.0) = deadline;
        if deadline == Deadline::Over {
            self.deadline.1.notify_one();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.set(Deadline::Over);
        // One whose input ends leaves by itself; one that does not is killed.
        self.input = None;
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            if matches!(locked(&self.process).try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut process = locked(&self.process);
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Keeps the end of what is said.
fn listen(
    mut from: impl Read + Send + 'static,
    to: Arc<Mutex<Vec<u8>>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let mut kept = locked(&to);
            kept.extend_from_slice(&buffer[..n]);
            let surplus = kept.len().saturating_sub(SAID);
            kept.drain(..surplus);
        }
    })
}

/// Kills a process that misses its deadline. It looks twice a second, so as not to disturb what is measured.
fn watch(process: Arc<Mutex<Child>>, deadline: Arc<(Mutex<Deadline>, Condvar)>) {
    std::thread::spawn(move || {
        let (state, told) = &*deadline;
        let mut now = locked(state);
        while *now != Deadline::Over {
            if matches!(*now, Deadline::At(at) if at < Instant::now()) {
                *now = Deadline::Missed;
                let _ = locked(&process).kill();
                return;
            }
            let waited = told.wait_timeout(now, Duration::from_millis(500));
            now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    });
}
