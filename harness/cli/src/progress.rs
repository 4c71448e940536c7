//! Progress on standard error: a bar where a person watches, a line now and then where a log is kept.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console;

/// A log gets a line at most this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What is being done and how far it is.
pub(crate) struct Progress {
    bar: ProgressBar,
    watched: bool,
    logged: Instant,
    message: String,
}

impl Progress {
    /// Nothing to show yet.
    pub(crate) fn new() -> Progress {
        let watched = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(0);
        bar.set_draw_target(match watched {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        });
        bar.set_style(style("{spinner} {msg}"));
        Progress { bar, watched, logged: Instant::now(), message: String::new() }
    }

    /// Something else begins. A log gets a line.
    pub(crate) fn begin(&mut self, message: String) {
        let message = console::harmless(&message);
        if message == self.message {
            return;
        }
        if self.watched {
            self.bar.set_style(style("{spinner} {msg}"));
            self.bar.enable_steady_tick(Duration::from_millis(120));
            self.bar.set_message(message.clone());
        } else if self.logged.elapsed() >= LOG_EVERY || self.message.is_empty() {
            self.log(&message);
        }
        self.message = message;
    }

    /// How far it is, in bytes.
    pub(crate) fn bytes(&mut self, done: u64, total: u64) {
        self.far("{msg} {bar:30} {bytes}/{total_bytes} {eta}", done, total);
    }

    /// How far it is, in steps.
    pub(crate) fn steps(&mut self, done: u64, total: u64) {
        self.far("{msg} {bar:30} {pos}/{len} {eta}", done, total);
    }

    fn far(&mut self, template: &str, done: u64, total: u64) {
        if self.watched {
            self.bar.set_style(style(template));
            self.bar.set_length(total);
            self.bar.set_position(done);
        } else if self.logged.elapsed() >= LOG_EVERY {
            let percent = (done * 100).checked_div(total).unwrap_or(0);
            self.log(&format!("{} {percent} %", self.message.clone()));
        }
    }

    /// A line that stays.
    pub(crate) fn line(&mut self, text: &str) {
        match self.watched {
            true => self.bar.suspend(|| console::tell(text)),
            false => self.log(text),
        }
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn log(&mut self, text: &str) {
        console::tell(text);
        self.logged = Instant::now();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
