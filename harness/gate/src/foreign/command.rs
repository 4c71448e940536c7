//! Two builds of any program: the duration it prints on its last line, or the time its whole run takes. Runs take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use yardstick_analyse::gate::Launch;
use yardstick_measure::plan::Shuffle;

use super::config::Unit;
use super::criterion::finished;
use crate::machine::Moment;
use crate::session::{Common, Measured, Source};
use crate::{Arm, Drift, Error, Program, Sides};

/// The one test there is.
const NAME: &str = "command";

/// Programs of all sides.
pub struct Commands {
    programs: Sides<Program>,
    unit: Option<Unit>,
    runs: usize,
    shuffle: Shuffle,
    cancel: Arc<AtomicBool>,
}

impl Commands {
    /// Of these programs; `runs` of each side a launch.
    pub fn new(
        programs: Sides<Program>,
        unit: Option<Unit>,
        runs: usize,
        seed: u64,
        cancel: Arc<AtomicBool>,
    ) -> Commands {
        Commands { programs, unit, runs, shuffle: Shuffle::new(seed), cancel }
    }

    /// Nanoseconds of one run.
    fn once(&self, arm: Arm) -> Result<f64, Error> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let program = self.programs.get(arm);
        let start = Instant::now();
        let output = finished(arm, program, &mut program.command())?;
        let elapsed = start.elapsed().as_nanos() as f64;
        let Some(unit) = self.unit else { return Ok(elapsed) };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = number(&text).filter(|number| *number > 0.0);
        let told = || {
            let line: String =
                text.trim_end().lines().last().unwrap_or("").chars().take(100).collect();
            Error::of(arm, format!("{program}: its last line is {line:?}, expected a duration"))
        };
        Ok(number.ok_or_else(told)? * unit.ns())
    }
}

/// The first number of the last line.
fn number(text: &str) -> Option<f64> {
    let line = text.trim_end().lines().last()?;
    let mut words = line.split(|c: char| !(c.is_ascii_digit() || ".eE+-".contains(c)));
    words.find_map(|word| word.parse::<f64>().ok().filter(|number| number.is_finite()))
}

impl Source for Commands {
    fn tests(&mut self) -> Result<Common, Error> {
        Ok(Common { both: vec![NAME.to_owned()], ..Common::default() })
    }

    fn drift(&mut self, tests: &[String]) -> Result<Vec<Drift>, Error> {
        let reason = "a command does not tell what it computes".to_owned();
        Ok(tests.iter().map(|_| Drift::Unknown { reason: reason.clone() }).collect())
    }

    fn launch(
        &mut self,
        _: &[String],
        _: f64,
        on: &mut dyn FnMut(usize, Measured),
    ) -> Result<(), Error> {
        let moment = Moment::now();
        let mut costs: Sides<Vec<f64>> =
            Sides { base: Vec::new(), control: Vec::new(), candidate: Vec::new() };
        for _ in 0..self.runs {
            let mut order = Arm::ALL;
            self.shuffle.shuffle(&mut order);
            for arm in order {
                let cost = self.once(arm)?;
                costs.get_mut(arm).push(cost);
            }
        }
        let Sides { base, control, candidate } = &costs;
        let launch = Launch::of_samples(base, candidate, Some(control))?;
        let primary = match moment.evidence() {
            Some(evidence) => launch.apart(evidence),
            None => launch,
        };
        on(0, Measured { primary, wall: None, rounds: self.runs, seconds: moment.seconds() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_the_last_line_counts() {
        let cases = [
            ("noise 7\ntook 12.5 ms\n", Some(12.5)),
            ("1e3", Some(1000.0)),
            ("time: 3", Some(3.0)),
            ("none", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
