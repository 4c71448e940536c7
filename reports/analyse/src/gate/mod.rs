//! The gate's statistics: is a candidate slower than its base? Pure functions; who builds, launches and measures is elsewhere.
//!
//! A *launch* is one round of fresh processes for base, candidate and control (a second copy of the base, linked separately).
//! It gives one number a metric, [`Launch::d`]: the median over its samples of ln(candidate / base), and [`Launch::d0`], the
//! same of the control. The launch is the unit: its samples are not independent.
//!
//! ```
//! use yardstick_analyse::gate::{Launch, Plan, Verdict, decide};
//!
//! let plan = Plan::cpu_time(); // looks at 6, 10, 16 and 24 launches; floor 1.5 %, caught 3 %
//! let mut launches = Vec::new();
//! let decision = loop {
//!     let (base, candidate, control) = ([1.00, 1.01], [1.04, 1.05], [1.00, 1.01]); // seconds of CPU time
//!     launches.push(Launch::of_samples(&base, &candidate, Some(&control))?); // `.apart("steal 7 %")` where so
//!     let decision = decide(&plan, &launches)?;
//!     if decision.verdict != Verdict::Continue {
//!         break decision; // or `decision.over("the time budget is spent")`
//!     }
//! };
//! assert_eq!((decision.verdict, decision.launches), (Verdict::Fail, 6));
//! # Ok::<(), yardstick_analyse::gate::Error>(())
//! ```
//!
//! **One kernel.** The effect is the candidate against the mean of the base's two copies, [`Launch::effect`]. At each look, with
//! t quantiles at a fixed share of the error budgets (union bound over the looks): *fail* where the lower bound of the mean
//! effect is above 0 and the candidate is slower than *both* copies by more than the floor; *pass* where the upper bound is
//! below `caught`; else go on, and *inconclusive* after the last.
//!
//! **Many kernels, one budget a pull request.** Decide each with [`Plan`]; those that fail are measured anew, in fresh launches
//! that are not pooled with the first, each by [`Plan::shared_by`]`(number that failed)`; [`holm`] over the new [`Decision::p`]
//! at `alpha` says which fail. Since the second data are independent of the choice, a pull request without any slow-down
//! fails with a chance of at most `alpha`, however many kernels it has; wall time counts as a further kernel.
//!
//! **Beside time.** [`cost::exact`] for what repeats exactly, [`cost::measured`] for what has an interval of its own.
//! [`clopper_pearson`] for logs of trials.

pub mod cost;
mod decide;
mod evidence;
mod holm;
mod launch;
mod plan;
mod shares;

pub use decide::{Decision, MOST_SET_APART, Verdict, decide};
pub use holm::holm;
pub use launch::Launch;
pub use plan::Plan;
pub use shares::{clopper_pearson, share_above, share_below};

/// Why nothing can be decided.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A plan that cannot be carried out.
    #[error("{field}: {found}, expected {expected}")]
    Plan {
        /// Field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A sample that is no cost.
    #[error("{arm}, sample {at}: {found}, expected a finite number above 0")]
    Value {
        /// Base, candidate or control.
        arm: &'static str,
        /// Index from 0.
        at: usize,
        /// The value.
        found: f64,
    },
    /// Arms that did not take turns.
    #[error(
        "{arm}: {found} samples, expected {expected}, as many as the base has and at least one"
    )]
    Samples {
        /// Candidate or control.
        arm: &'static str,
        /// Its samples.
        found: usize,
        /// The base's.
        expected: usize,
    },
}
