//! A meter's program: started for the run, read line by line, ended with the run.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::feed::Feed;
use super::powermetrics::Document;
use super::series::Power;
use crate::probe::Learnt;
use crate::root::clean;

/// How long it may take to its first value: some plugs are asked over a network.
const FIRST: Duration = Duration::from_secs(15);
/// A longer line is none.
const LONGEST_LINE: u64 = 4096;

/// See the file's head.
pub(super) struct Program {
    feed: Arc<Feed>,
    child: Arc<Mutex<Child>>,
}

impl Program {
    /// Starts it and waits for its first value.
    pub(super) fn start(words: &[String], offset: f64) -> Learnt<Program> {
        let (name, arguments) = words.split_first().ok_or("it has no command")?;
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C is for us, and whatever it starts ends with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", clean(name)))?;
        let feed = Arc::new(Feed::default());
        let words = listen(child.stderr.take());
        let output = child.stdout.take();
        let program = Program { feed: Arc::clone(&feed), child: Arc::new(Mutex::new(child)) };
        let child = Arc::clone(&program.child);
        std::thread::spawn(move || {
            if let Some(output) = output {
                read(BufReader::new(output), &feed, offset);
            }
            feed.end(ended(&child, &words));
        });
        program.feed.first(FIRST)?;
        Ok(program)
    }

    /// It prints property lists of powermetrics.
    pub(super) fn is_powermetrics(&self) -> bool {
        self.feed.is_powermetrics()
    }

    pub(super) fn over(&self, from: f64, to: f64) -> Learnt<Power> {
        self.feed.over(from, to)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // Not after it was waited for: its number may be another's by now.
        if let Ok(None) = child.try_wait() {
            #[cfg(unix)]
            {
                let group = rustix::process::Pid::from_child(&child);
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Lines until the output ends.
fn read(mut output: impl BufRead, feed: &Feed, offset: f64) {
    let (mut line, mut document) = (Vec::new(), Document::default());
    let mut cut = false;
    for number in 1.. {
        line.clear();
        let read = output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        // What follows a piece without an end belongs to the same line.
        let follows = std::mem::replace(&mut cut, !line.ends_with(b"\n"));
        match read {
            Ok(0) | Err(_) => return,
            Ok(_) if follows => {}
            Ok(n) if n as u64 == LONGEST_LINE && cut => {
                feed.fault(format!("line {number}: longer than {LONGEST_LINE} bytes"));
            }
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                match document.line(&text) {
                    Ok(None) => {}
                    Ok(Some(watts)) => feed.modelled(watts),
                    Err(None) => feed.line(&text, number, offset),
                    Err(Some(reason)) => feed.fault(reason),
                }
            }
        }
    }
}

/// The last line of what it says to people.
fn listen(errors: Option<impl Read + Send + 'static>) -> Arc<Mutex<String>> {
    let last = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&last);
    let Some(errors) = errors else { return last };
    std::thread::spawn(move || {
        let (mut errors, mut line) = (BufReader::new(errors), Vec::new());
        while let Ok(1..) = errors.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            let words = clean(&String::from_utf8_lossy(&line));
            if !words.is_empty() {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = words;
            }
            line.clear();
        }
    });
    last
}

/// How it ended, in its own last words.
fn ended(child: &Mutex<Child>, words: &Mutex<String>) -> String {
    // Its output ends a moment before it does.
    std::thread::sleep(Duration::from_millis(50));
    let status = child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
    let how = match status {
        Ok(Some(status)) => status.to_string(),
        Ok(None) => "it closed its output".to_owned(),
        Err(error) => error.to_string(),
    };
    let words = words.lock().unwrap_or_else(PoisonError::into_inner);
    if words.is_empty() { how } else { format!("{how}: {words}") }
}
