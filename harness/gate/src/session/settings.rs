//! What a comparison may cost and what it must catch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use yardstick_analyse::gate::Plan;

/// Choices of one comparison.
#[derive(Clone)]
pub struct Settings {
    /// How what is judged is judged; its `alpha` is the whole comparison's.
    pub primary: Plan,
    /// How wall time beside it is judged.
    pub wall: Plan,
    /// Largest normalised mean squared error between the sides' outputs.
    pub drift: f64,
    /// Time all of it may take, builds excepted.
    pub budget: Duration,
    /// Seconds a test takes in a launch, if the budget lets it: fewest and most.
    pub seconds: (f64, f64),
    /// Only tests whose names contain one of these; all where there are none.
    pub only: Vec<String>,
    /// Tests that matter most: they come before the others.
    pub first: Vec<String>,
    /// Tests that need not run, and why.
    pub skip: BTreeMap<String, String>,
    /// Told between launches.
    pub cancel: Arc<AtomicBool>,
}

impl Settings {
    /// As our own kernels are judged.
    pub fn new(budget: Duration) -> Settings {
        Settings {
            primary: Plan::cpu_time(),
            wall: Plan::wall_time(),
            drift: 1e-9,
            budget,
            seconds: (0.4, 1.5),
            only: Vec::new(),
            first: Vec::new(),
            skip: BTreeMap::new(),
            cancel: Arc::default(),
        }
    }
}

/// What happens, for whoever watches.
pub enum Progress<'a> {
    /// So many tests are measured, each for about so many seconds a launch.
    Begun {
        /// Tests.
        tests: usize,
        /// Seconds.
        seconds: f64,
    },
    /// A launch ended.
    Launch {
        /// Its number, from 1.
        number: usize,
        /// Tests not decided yet.
        left: usize,
    },
    /// Tests that seem slower are measured anew.
    Confirming {
        /// Which.
        tests: &'a [String],
    },
}
