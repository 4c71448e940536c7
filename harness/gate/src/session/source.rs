//! What the gate measures, whoever runs it: tests by name, whether both sides compute the same, and launches.

use yardstick_analyse::gate::{Launch, Plan};

use crate::{Drift, Error, TestReport};

/// Something that can be launched again and again on all sides.
pub trait Source {
    /// Tests of both sides.
    fn tests(&mut self) -> Result<Common, Error>;
    /// Whether base and candidate compute the same, for each test.
    fn drift(&mut self, tests: &[String]) -> Result<Vec<Drift>, Error>;
    /// Fresh processes of all sides; every test once, in any order, each for about `seconds`.
    fn launch(
        &mut self,
        tests: &[String],
        seconds: f64,
        on: &mut dyn FnMut(usize, Measured),
    ) -> Result<(), Error>;

    /// What is known without launches, after `tests` and before `drift`: what a side lacks, what repeats exactly.
    fn known(&mut self) -> Result<Vec<TestReport>, Error> {
        Ok(Vec::new())
    }

    /// How a test is judged, where it is not as all are.
    fn plan(&self, test: &str) -> Option<Plan> {
        let _ = test;
        None
    }

    /// Seconds of a test and launch beside its samples, where they are known.
    fn beside(&self) -> Option<f64> {
        None
    }

    /// Tests that no further launch can measure, with what went wrong; told once.
    fn gone(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Tests by the sides that have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// On both, in the base's order.
    pub both: Vec<String>,
    /// Gone with the candidate.
    pub only_base: Vec<String>,
    /// New with it.
    pub only_candidate: Vec<String>,
}

impl Common {
    /// Of two lists.
    pub fn of(base: &[String], candidate: &[String]) -> Common {
        let (both, only_base) = base.iter().cloned().partition(|name| candidate.contains(name));
        let only_candidate = candidate.iter().filter(|name| !base.contains(name)).cloned();
        Common { both, only_base, only_candidate: only_candidate.collect() }
    }
}

/// What one sample cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// What is judged: CPU time where it is known, else the time there is, nanoseconds.
    pub primary: f64,
    /// Wall time, where that is another.
    pub wall: Option<f64>,
}

/// One launch of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Of what is judged.
    pub primary: Launch,
    /// Of wall time, where that is another.
    pub wall: Option<Launch>,
    /// Samples a side.
    pub rounds: usize,
    /// How long it took, warm-up and all.
    pub seconds: f64,
}

/// A launch from samples that did not take turns, or whose slow ones are others' doing: the log ratio of a quantile.
pub(crate) fn launch_of(
    base: &[f64],
    candidate: &[f64],
    control: Option<&[f64]>,
    quantile: f64,
) -> Result<Launch, Error> {
    let of = |values: &[f64]| -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len().saturating_sub(1)) as f64 * quantile;
        sorted.get(at.round() as usize).copied().unwrap_or(f64::NAN)
    };
    let control = control.map(|control| [of(control)]);
    let control = control.as_ref().map(|control| &control[..]);
    Ok(Launch::of_samples(&[of(base)], &[of(candidate)], control)?)
}
