//! What a meter's program told so far: filled by the thread that reads it, asked by the probes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::line::{Point, point};
use super::series::{Power, Series};
use super::window::unix_now;
use crate::probe::Learnt;

/// How far a live meter's clock may be from this machine's: readings that come late included.
const MOST_LAG: f64 = 10.0;
/// Faults kept. One spoils a test; a flood of them is no better.
const MOST_FAULTS: usize = 1024;
/// How long a test waits for the meter's value after its end.
const PATIENCE: Duration = Duration::from_millis(2500);

/// See the file's head.
#[derive(Default)]
pub(super) struct Feed {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    series: Series,
    /// When a line was wrong, and how.
    faults: Vec<(f64, String)>,
    ended: Option<String>,
    powermetrics: bool,
}

impl Feed {
    /// Takes a value of powermetrics: it comes at the end of its time, and names only the second.
    pub(super) fn modelled(&self, watts: f64) {
        let at = unix_now();
        let mut state = self.lock();
        state.powermetrics = true;
        if let Err(reason) = state.series.push(Point { at, watts }) {
            state.fault(at, reason);
        }
        drop(state);
        self.news.notify_all();
    }

    pub(super) fn is_powermetrics(&self) -> bool {
        self.lock().powermetrics
    }

    /// Takes a line.
    pub(super) fn line(&self, text: &str, number: u64, offset: f64) {
        let now = unix_now();
        let mut state = self.lock();
        let taken = point(text, number).and_then(|point| {
            let Some(mut point) = point else { return Ok(()) };
            point.at += offset;
            let lag = now - point.at;
            if lag.abs() > MOST_LAG {
                return Err(format!(
                    "line {number}: its clock is {lag:.0} s behind this machine's; move it by --meter-offset"
                ));
            }
            state.series.push(point).map_err(|reason| format!("line {number}: {reason}"))
        });
        if let Err(reason) = taken {
            state.fault(now, reason);
        }
        drop(state);
        self.news.notify_all();
    }

    /// Something that is no line.
    pub(super) fn fault(&self, reason: String) {
        self.lock().fault(unix_now(), reason);
        self.news.notify_all();
    }

    /// Nothing more will come.
    pub(super) fn end(&self, reason: String) {
        self.lock().ended.get_or_insert(reason);
        self.news.notify_all();
    }

    /// Waits for a first value.
    pub(super) fn first(&self, patience: Duration) -> Learnt<()> {
        let state = self.wait(patience, |state| {
            state.series.last().is_some() || state.ended.is_some() || !state.faults.is_empty()
        });
        match (state.faults.first(), state.series.last(), &state.ended) {
            (Some((_, fault)), ..) => Err(fault.clone()),
            (None, None, Some(ended)) => Err(format!("it told nothing: {ended}")),
            (None, None, None) => Err(format!(
                "it told nothing in {} s; expected timestamp,watts lines",
                patience.as_secs()
            )),
            (None, Some(_), _) => Ok(()),
        }
    }

    /// Power over a window; waits a little for what was drawn at its end.
    pub(super) fn over(&self, from: f64, to: f64) -> Learnt<Power> {
        let state = self.wait(PATIENCE, |state| {
            state.ended.is_some() || state.series.last().is_some_and(|last| last.at > to)
        });
        let spoilt = state.faults.iter().find(|(at, _)| (from..=to).contains(at));
        if let Some((_, reason)) = spoilt {
            return Err(reason.clone());
        }
        let told = state.series.last().is_some_and(|last| last.at > to);
        match &state.ended {
            Some(ended) if !told => Err(format!("it ended during the test: {ended}")),
            _ => state.series.over(from, to),
        }
    }

    fn wait(&self, patience: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.news.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fault(&mut self, at: f64, reason: String) {
        if self.faults.len() >= MOST_FAULTS {
            self.faults.remove(0);
        }
        self.faults.push((at, reason));
    }
}
