//! The decisions on synthetic launches: what is slower fails, what is not passes, and nothing is lost between.

use std::time::Duration;

use yardstick_analyse::gate::Launch;
use yardstick_measure::plan::Shuffle;

use super::{Common, Measured, Settings, Source, run};
use crate::{Drift, Error, Outcome, TestReport, exit_code};

/// A test whose launches are made up.
#[derive(Clone)]
struct Made {
    name: &'static str,
    /// Effect on CPU time and on wall time.
    cpu: f64,
    wall: f64,
    /// Spread of a launch around it.
    noise: f64,
    drift: Drift,
}

fn made(name: &'static str, cpu: f64) -> Made {
    Made { name, cpu, wall: cpu, noise: 0.005, drift: Drift::None }
}

struct Fake {
    tests: Vec<Made>,
    more: Common,
    random: u64,
    launches: usize,
}

impl Fake {
    fn of(tests: Vec<Made>) -> Fake {
        Fake { tests, more: Common::default(), random: 7, launches: 0 }
    }

    /// Between -1 and 1, of mean 0.
    fn noise(&mut self) -> f64 {
        self.random += 1;
        let mut values: Vec<i32> = (-100..=100).collect();
        Shuffle::new(self.random).shuffle(&mut values);
        f64::from(values[0]) / 100.0
    }
}

impl Source for Fake {
    fn tests(&mut self) -> Result<Common, Error> {
        let both = self.tests.iter().map(|test| test.name.to_owned()).collect();
        Ok(Common { both, ..self.more.clone() })
    }

    fn drift(&mut self, tests: &[String]) -> Result<Vec<Drift>, Error> {
        let of = |name: &String| self.tests.iter().find(|t| t.name == name).unwrap().drift.clone();
        Ok(tests.iter().map(of).collect())
    }

    fn launch(
        &mut self,
        tests: &[String],
        _: f64,
        on: &mut dyn FnMut(usize, Measured),
    ) -> Result<(), Error> {
        self.launches += 1;
        for (index, name) in tests.iter().enumerate() {
            let test = self.tests.iter().find(|t| t.name == name).unwrap().clone();
            let (d, w) =
                (test.cpu + test.noise * self.noise(), test.wall + test.noise * self.noise());
            let d0 = 0.2 * test.noise * self.noise();
            let primary = Launch::new(d, Some(d0))?;
            let wall = Some(Launch::new(w, Some(d0))?);
            on(index, Measured { primary, wall, rounds: 100, seconds: 1.0 });
        }
        Ok(())
    }
}

fn outcome(reports: &[TestReport], name: &str) -> Outcome {
    reports.iter().find(|report| report.test == name).unwrap().outcome
}

fn gate(fake: &mut Fake) -> Vec<TestReport> {
    run(&Settings::new(Duration::from_secs(600)), fake, &mut |_| {}).unwrap()
}

#[test]
fn slower_fails_and_is_measured_anew_same_and_faster_pass() {
    let rounded = Made { drift: Drift::Error { nmse: Some(1e-13) }, ..made("rounded", 0.0) };
    let tests = vec![made("same", 0.0), made("slow", 0.03), made("fast", -0.03), rounded];
    let reports = gate(&mut Fake::of(tests));
    assert_eq!((outcome(&reports, "slow"), exit_code(&reports)), (Outcome::Slower, 1));
    for name in ["same", "fast", "rounded"] {
        assert_eq!(outcome(&reports, name), Outcome::Passed, "{name}");
    }
    // The worst first.
    assert_eq!(reports[0].test, "slow");
    assert!(reports[0].confirmed.as_ref().is_some_and(|launches| launches.len() >= 6));
}

#[test]
fn drift_fails_before_anything_is_measured() {
    let drifted = Made { drift: Drift::Error { nmse: Some(1e-4) }, ..made("wrong", 0.0) };
    let mut fake = Fake::of(vec![made("same", 0.0), drifted]);
    let reports = gate(&mut fake);
    assert_eq!((reports[0].test.as_str(), reports[0].outcome), ("wrong", Outcome::Drifted));
    assert_eq!((outcome(&reports, "same"), exit_code(&reports)), (Outcome::Unaffordable, 1));
    assert_eq!(fake.launches, 0);
}

#[test]
fn a_sleep_shows_in_wall_time_alone_and_fails() {
    let sleeps = Made { wall: 0.3, ..made("sleeps", 0.0) };
    let reports = gate(&mut Fake::of(vec![sleeps, made("same", 0.0)]));
    assert_eq!(outcome(&reports, "sleeps"), Outcome::Slower);
    assert!(reports[0].reason.starts_with("wall time "), "{}", reports[0].reason);
    assert_eq!(outcome(&reports, "same"), Outcome::Passed);
}

#[test]
fn noise_that_hides_everything_is_inconclusive_and_says_what_it_could_see() {
    let reports = gate(&mut Fake::of(vec![Made { noise: 0.3, ..made("noisy", 0.0) }]));
    assert_eq!(outcome(&reports, "noisy"), Outcome::Inconclusive);
    assert!(reports[0].reason.contains("could only have seen"), "{}", reports[0].reason);
    assert_eq!((exit_code(&reports), reports[0].launches.len()), (3, 24));
}

#[test]
fn tests_of_one_side_are_listed_and_skipped_ones_are_not_run() {
    let mut fake = Fake::of(vec![made("same", 0.0), made("unchanged", 0.5)]);
    fake.more = Common {
        both: Vec::new(),
        only_base: vec!["gone".to_owned()],
        only_candidate: vec!["new".to_owned()],
    };
    let mut settings = Settings::new(Duration::from_secs(600));
    settings.skip.insert("unchanged".to_owned(), "byte-identical".to_owned());
    let reports = run(&settings, &mut fake, &mut |_| {}).unwrap();
    let found: Vec<Outcome> = reports.iter().map(|report| report.outcome).collect();
    let expected = [Outcome::OnlyBase, Outcome::OnlyCandidate, Outcome::Passed, Outcome::Skipped];
    assert_eq!((found.as_slice(), exit_code(&reports)), (&expected[..], 3));
}

#[test]
fn a_budget_too_small_measures_what_it_can_and_is_inconclusive_about_the_rest() {
    let tests = ["a", "b", "c", "d"].map(|name| made(name, 0.0)).to_vec();
    let mut fake = Fake::of(tests);
    let settings = Settings::new(Duration::from_secs(10));
    let reports = run(&settings, &mut fake, &mut |_| {}).unwrap();
    let count = |outcome| reports.iter().filter(|report| report.outcome == outcome).count();
    assert_eq!((count(Outcome::Passed), count(Outcome::Unaffordable)), (1, 3));
    let none = run(&Settings::new(Duration::ZERO), &mut fake, &mut |_| {}).unwrap();
    assert!(none.iter().all(|report| report.outcome == Outcome::Unaffordable));
    assert_eq!(exit_code(&none), 3);
}

#[test]
fn an_interruption_ends_it() {
    let settings = Settings::new(Duration::from_secs(600));
    settings.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let ended = run(&settings, &mut Fake::of(vec![made("same", 0.0)]), &mut |_| {});
    assert!(matches!(ended, Err(Error::Interrupted)));
}

/// Forty tests without an effect, a hundred times: a false alarm anywhere would be a lie about one error budget.
#[test]
fn many_tests_share_one_error_budget() {
    let names: Vec<&'static str> = (0..40).map(|n| &*format!("test {n}").leak()).collect();
    let mut alarms = 0;
    for seed in 0..100 {
        let tests = names.iter().map(|name| Made { noise: 0.02, ..made(name, 0.0) }).collect();
        let mut fake = Fake::of(tests);
        fake.random = seed * 100_000;
        let reports = gate(&mut fake);
        alarms += usize::from(exit_code(&reports) == 1);
    }
    assert_eq!(alarms, 0);
}
