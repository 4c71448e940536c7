//! The report's types; as JSON they are `gate.json`.

use serde::Serialize;
use yardstick_analyse::gate::{Decision, Launch};

/// What came of one test, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It computes something else.
    Drifted,
    /// It costs more.
    Slower,
    /// Its compiled code has what costs speed on any device.
    Worse,
    /// Neither shown nor excluded.
    Inconclusive,
    /// What a side cannot measure or tell, and no larger budget would.
    Missing,
    /// The budget did not reach it, or other outputs decided.
    Unaffordable,
    /// The candidate lacks it.
    OnlyBase,
    /// The base lacks it.
    OnlyCandidate,
    /// Its compiled code takes more of a device, which may cost speed: a warning.
    Changed,
    /// A slow-down that matters is excluded.
    Passed,
    /// It need not run.
    Skipped,
}

impl Outcome {
    /// A word or two.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Drifted => "drifted",
            Outcome::Slower => "slower",
            Outcome::Worse => "worse",
            Outcome::Changed => "changed",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Missing => "missing",
            Outcome::Unaffordable => "not measured",
            Outcome::OnlyBase => "only in base",
            Outcome::OnlyCandidate => "only in candidate",
            Outcome::Passed => "passed",
            Outcome::Skipped => "skipped",
        }
    }
}

/// How far a candidate's output is from the base's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// The same bits.
    None,
    /// Not compared, and why.
    Unknown {
        /// Why.
        reason: String,
    },
    /// Normalised mean squared error; null where a value is not finite.
    Error {
        /// Of the candidate against the base.
        nmse: Option<f64>,
    },
    /// Kullback-Leibler divergence of the candidate's predictions from the base's.
    Divergence {
        /// Mean, nats a position.
        mean: f64,
        /// The largest of a position.
        max: f64,
        /// Positions.
        positions: usize,
        /// Positions whose likeliest token is another.
        other_words: usize,
        /// Largest mean that is let pass.
        allowed: f64,
    },
    /// Another number of values.
    Shape {
        /// Values.
        base: usize,
        /// Values.
        candidate: usize,
    },
}

impl Drift {
    /// Whether it is no more than a limit.
    pub fn within(&self, limit: f64) -> bool {
        match self {
            Drift::None | Drift::Unknown { .. } => true,
            Drift::Error { nmse } => nmse.is_some_and(|nmse| nmse <= limit),
            Drift::Divergence { mean, allowed, .. } => mean <= allowed,
            Drift::Shape { .. } => false,
        }
    }

    /// For people.
    pub fn words(&self) -> String {
        match self {
            Drift::None => "the same bits".to_owned(),
            Drift::Unknown { reason } => format!("not compared: {reason}"),
            Drift::Error { nmse: Some(nmse) } => {
                format!("normalised mean squared error {nmse:.1e}")
            }
            Drift::Error { nmse: None } => "values that are not finite".to_owned(),
            Drift::Divergence { mean, max, positions, other_words, allowed } => format!(
                "KL divergence {mean:.1e} nats a position, {max:.1e} at most, over {positions} positions, {other_words} of them \
                 with another likeliest token; {allowed} nats are allowed"
            ),
            Drift::Shape { base, candidate } => format!("{candidate} values, the base has {base}"),
        }
    }
}

/// One test. Effects are relative: 0.03 costs 3 % more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    /// Its name.
    pub test: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in one line.
    pub reason: String,
    /// Of its output; null where it was not compared.
    pub drift: Option<Drift>,
    /// What decided, on CPU time (or the time there is).
    pub cost: Option<Decision>,
    /// On wall time beside it.
    pub wall: Option<Decision>,
    /// Every launch.
    pub launches: Vec<Launch>,
    /// The same launches by wall time.
    pub wall_launches: Vec<Launch>,
    /// Launches of the second measurement of what seemed slower.
    pub confirmed: Option<Vec<Launch>>,
    /// The same by wall time.
    pub confirmed_wall: Option<Vec<Launch>>,
    /// Time spent.
    pub seconds: f64,
    /// Samples a side.
    pub samples: usize,
}

impl TestReport {
    pub(crate) fn unmeasured(
        test: &str,
        outcome: Outcome,
        reason: String,
        drift: Option<Drift>,
    ) -> TestReport {
        TestReport {
            test: test.to_owned(),
            outcome,
            reason,
            drift,
            cost: None,
            wall: None,
            launches: Vec::new(),
            wall_launches: Vec::new(),
            confirmed: None,
            confirmed_wall: None,
            seconds: 0.0,
            samples: 0,
        }
    }

    /// What a side cannot tell, and no larger budget would.
    pub fn missing(test: &str, reason: String) -> TestReport {
        TestReport::unmeasured(test, Outcome::Missing, reason, None)
    }

    pub(crate) fn only_base(test: &str) -> TestReport {
        let reason = "the candidate does not have it".to_owned();
        TestReport::unmeasured(test, Outcome::OnlyBase, reason, None)
    }

    pub(crate) fn only_candidate(test: &str) -> TestReport {
        let reason = "the base does not have it: nothing to hold it against".to_owned();
        TestReport::unmeasured(test, Outcome::OnlyCandidate, reason, None)
    }

    pub(crate) fn skipped(test: &str, why: &str) -> TestReport {
        TestReport::unmeasured(test, Outcome::Skipped, why.to_owned(), None)
    }

    pub(crate) fn drifted(test: String, drift: Drift) -> TestReport {
        let reason = format!("computes something else: {}", drift.words());
        TestReport::unmeasured(&test, Outcome::Drifted, reason, Some(drift))
    }

    pub(crate) fn pointless(test: &str, drift: Drift) -> TestReport {
        let reason = "other outputs fail the candidate already".to_owned();
        TestReport::unmeasured(test, Outcome::Unaffordable, reason, Some(drift))
    }

    pub(crate) fn unaffordable(test: &str, drift: Drift) -> TestReport {
        let reason = "the time budget does not reach it; any slow-down may hide here".to_owned();
        TestReport::unmeasured(test, Outcome::Unaffordable, reason, Some(drift))
    }
}

/// What stood for a side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideReport {
    /// As it was asked for: a revision or a program.
    pub asked: String,
    /// The commit, where it is one.
    pub commit: Option<String>,
    /// What ran.
    pub program: String,
    /// What one should know of it: a dirty tree.
    pub note: Option<String>,
}

/// A whole comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What is merged into.
    pub base: SideReport,
    /// What would merge.
    pub candidate: SideReport,
    /// When it began, UTC.
    pub started: String,
    /// How long it took, builds excepted.
    pub seconds: f64,
    /// What it might have taken.
    pub budget_seconds: f64,
    /// The worst first.
    pub tests: Vec<TestReport>,
    /// What else one should know.
    pub notes: Vec<String>,
    /// 0 pass, 1 fail, 3 inconclusive.
    pub exit_code: u8,
    /// What would decide it, where it is inconclusive.
    pub decide: Option<String>,
    /// About how long that takes, where it can be told.
    pub decide_minutes: Option<f64>,
}

/// 0 pass, 1 fail, 3 inconclusive.
pub fn exit_code(tests: &[TestReport]) -> u8 {
    let has = |outcomes: &[Outcome]| tests.iter().any(|test| outcomes.contains(&test.outcome));
    if has(&[Outcome::Drifted, Outcome::Slower, Outcome::Worse]) {
        1
    } else if has(&[
        Outcome::Inconclusive,
        Outcome::Missing,
        Outcome::Unaffordable,
        Outcome::OnlyBase,
    ]) {
        3
    } else {
        0
    }
}

impl Report {
    /// Minutes of budget after which the undecided would be decided at the noise that was seen, rounded up.
    pub fn minutes_to_decide(tests: &[TestReport]) -> Option<f64> {
        const LAUNCHES: usize = 24;
        // Of a launch of a test: what one took here, two seconds where none ran.
        let measured = tests.iter().filter(|test| !test.launches.is_empty());
        let (spent, ran) = measured.fold((0.0, 0), |(spent, ran), test| {
            let confirmed = test.confirmed.as_ref().map_or(0, Vec::len);
            (spent + test.seconds, ran + test.launches.len() + confirmed)
        });
        let each = if ran == 0 { 2.0 } else { f64::max(2.0, spent / ran as f64) };
        let mut seconds = 0.0;
        for test in tests {
            match test.outcome {
                Outcome::Unaffordable => seconds += 10.0 * each,
                Outcome::Inconclusive => {
                    let needed = test.cost.as_ref().and_then(|cost| cost.needed);
                    seconds += each * needed.unwrap_or(LAUNCHES).max(LAUNCHES) as f64;
                }
                _ => {}
            }
        }
        (seconds > 0.0).then(|| (seconds / 0.7 / 60.0).ceil())
    }
}
