//! External meters: a program that prints `timestamp,watts` lines (a smart plug, a USB meter), or a recording that another
//! one writes. They are aligned by clock with the timed samples, whose window is a reading of its own, so that a recording
//! from another machine can be laid over the records afterwards.
//!
//! What the lines say is not believed blindly: a meter that dies, falls silent, goes backwards, says nonsense or another
//! format is null with that reason for the tests it spoils, and measures again once it behaves.

mod feed;
mod line;
mod powermetrics;
mod program;
mod recording;
mod series;
mod window;

use std::path::PathBuf;
use std::sync::Arc;

use yardstick_record::{Direction, Reading};

use crate::probe::{Learnt, Probe};
use crate::sensors::About;
use program::Program;
pub use recording::Recording;
use series::Power;

/// What an outlet supplies at most; more is nonsense.
const MOST_WATTS: f64 = 20_000.0;

/// An external meter, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterSpec {
    /// Its name in readings: `meter_NAME_joules`.
    pub name: String,
    /// Where its lines come from.
    pub source: MeterSource,
    /// Seconds added to its timestamps.
    pub offset: f64,
}

/// Where a meter's lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeterSource {
    /// A program and its arguments, started for the run and ended with it.
    Program(Vec<String>),
    /// A file that something else writes.
    Recording(PathBuf),
}

/// A meter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("meter {name}: {reason}")]
pub struct MeterError {
    /// Which.
    pub name: String,
    /// What it did, and what was expected.
    pub reason: String,
}

/// The meters of a run, shared by all its probes; the programs end when the last one is gone.
#[derive(Clone, Default)]
pub struct Meters {
    list: Arc<Vec<Meter>>,
}

struct Meter {
    spec: MeterSpec,
    program: Option<Program>,
}

impl Meters {
    /// Starts the programs and waits for the first value of each; reads recordings once. What fails now fails before anything
    /// is measured.
    pub fn open(specs: &[MeterSpec]) -> Result<Meters, MeterError> {
        let opened = specs.iter().map(|spec| {
            Meter::open(spec).map_err(|reason| MeterError { name: spec.name.clone(), reason })
        });
        Ok(Meters { list: Arc::new(opened.collect::<Result<_, _>>()?) })
    }

    /// The probe that tells the window of the timed samples, and what the meters read over it.
    pub(crate) fn probe(&self) -> Box<dyn Probe> {
        Box::new(window::Window::new(self.clone()))
    }

    /// Every reading over a window, in seconds since 1970.
    fn readings(&self, from: f64, to: f64) -> Vec<Reading> {
        self.list
            .iter()
            .flat_map(|meter| {
                let power = meter.over(from, to);
                readings(&meter.spec.name, &meter.source(), meter.scope(), power)
            })
            .collect()
    }
}

impl Meter {
    fn open(spec: &MeterSpec) -> Learnt<Meter> {
        let program = match &spec.source {
            MeterSource::Program(words) => Some(Program::start(words, spec.offset)?),
            MeterSource::Recording(path) => {
                Recording::read(path, spec.offset)?;
                None
            }
        };
        Ok(Meter { spec: spec.clone(), program })
    }

    fn over(&self, from: f64, to: f64) -> Learnt<Power> {
        match (&self.program, &self.spec.source) {
            (Some(program), _) => program.over(from, to),
            (None, MeterSource::Recording(path)) => {
                recording::over(path, self.spec.offset, from, to)
            }
            (None, MeterSource::Program(_)) => Err("it was not started".to_owned()),
        }
    }

    /// An outlet supplies all of the machine; Apple's model knows its chip only.
    fn scope(&self) -> &'static str {
        let models = self.program.as_ref().is_some_and(Program::is_powermetrics);
        if models { "soc" } else { "wall" }
    }

    /// Names no path: records travel.
    fn source(&self) -> String {
        let of = match &self.spec.source {
            MeterSource::Program(_) if self.scope() == "soc" => "powermetrics' property lists",
            MeterSource::Program(_) => "a program's timestamp,watts lines",
            MeterSource::Recording(_) => "a recording of timestamp,watts lines",
        };
        source(of, self.spec.offset)
    }
}

fn source(of: &str, offset: f64) -> String {
    match offset {
        0.0 => format!("external meter, {of}, integrated"),
        offset => format!("external meter, {of}, integrated, clock moved by {offset} s"),
    }
}

/// The readings of one meter over one test.
fn readings(name: &str, source: &str, scope: &str, power: Learnt<Power>) -> Vec<Reading> {
    let about = |unit| About { unit, source, scope, better: Some(Direction::Lower) };
    let name = |suffix: &str| format!("meter_{name}_{suffix}");
    vec![
        about("J").observed(name("joules"), power.clone().map(|p| (p.joules, p.precision))),
        about("W").observed(name("mean_watts"), power.clone().map(|p| (p.watts, p.of_watts()))),
        about("W").reading(name("max_watts"), power.map(|p| p.most)),
    ]
}

#[cfg(test)]
mod tests;
