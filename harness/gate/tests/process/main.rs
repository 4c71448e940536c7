//! The gate on real processes: this program is the slice worker too, one that makes its times up, so that every decision is told
//! beforehand.
#![allow(clippy::unwrap_used, reason = "a test")]

mod fake;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use yardstick_gate::{
    Arm, Error, Outcome, Program, Settings, Sides, Slices, TestReport, exit_code, run,
};

/// A claim and its test.
type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("what_is_slower_fails_and_what_is_not_passes", what_is_slower_fails_and_what_is_not_passes),
    ("other_values_fail_and_name_the_kernel", other_values_fail_and_name_the_kernel),
    ("a_sleep_fails_by_wall_time", a_sleep_fails_by_wall_time),
    ("a_crash_is_an_error_that_names_the_side", a_crash_is_an_error_that_names_the_side),
    ("kernels_of_one_side_are_listed", kernels_of_one_side_are_listed),
    (
        "a_program_that_cannot_be_understood_is_an_error",
        a_program_that_cannot_be_understood_is_an_error,
    ),
    ("without_cpu_time_wall_time_is_judged", without_cpu_time_wall_time_is_judged),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = &arguments[..]
        && first == "fake"
    {
        return fake::be(rest);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen =
        TESTS.iter().filter(|(name, _)| filter.is_none_or(|part| name.contains(part.as_str())));
    for (name, test) in chosen {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// This program as a worker that behaves so: `cpu=1.03`, `wall=1.3`, `values=2`, `crash`, `kernels=a,b`, `noise`, `wall-only`.
fn fake(words: &[&str]) -> Program {
    let file: PathBuf = std::env::current_exe().unwrap();
    let arguments = std::iter::once("fake").chain(words.iter().copied()).map(str::to_owned);
    Program { file, arguments: arguments.collect(), folder: None }
}

fn gate(base: &[&str], candidate: &[&str]) -> Result<Vec<TestReport>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let programs = Sides { base: fake(base), control: fake(base), candidate: fake(candidate) };
    let mut settings = Settings::new(Duration::from_secs(120));
    settings.seconds = (0.01, 0.01);
    let cancel = Arc::clone(&settings.cancel);
    let mut source = Slices::new(programs, folder.path().join("data"), 1, cancel);
    let reports = run(&settings, &mut source, &mut |_| {});
    // Outputs were read and are gone.
    if folder.path().join("data").exists() {
        assert_eq!(std::fs::read_dir(folder.path().join("data")).unwrap().count(), 0);
    }
    reports
}

fn outcomes(reports: &[TestReport]) -> Vec<Outcome> {
    reports.iter().map(|report| report.outcome).collect()
}

fn what_is_slower_fails_and_what_is_not_passes() {
    for (words, expected, code) in [
        ("cpu=1", Outcome::Passed, 0),
        ("cpu=0.97", Outcome::Passed, 0),
        ("cpu=1.03", Outcome::Slower, 1),
        ("cpu=1.5", Outcome::Slower, 1),
    ] {
        let reports = gate(&[], &[words]).unwrap();
        assert_eq!(outcomes(&reports), [expected, expected], "{words}: {reports:?}");
        assert_eq!(exit_code(&reports), code);
        let cost = reports[0].cost.as_ref().unwrap();
        let effect: f64 = words.strip_prefix("cpu=").unwrap().parse::<f64>().unwrap() - 1.0;
        assert!((cost.estimate.unwrap() - effect).abs() < 0.01, "{words}: {cost:?}");
    }
}

fn other_values_fail_and_name_the_kernel() {
    let reports = gate(&[], &["values=2"]).unwrap();
    assert_eq!(outcomes(&reports), [Outcome::Drifted, Outcome::Drifted]);
    assert_eq!((reports[0].test.as_str(), exit_code(&reports)), ("one", 1));
    assert!(reports[0].reason.contains("normalised mean squared error"), "{}", reports[0].reason);
    // Nothing was measured for it.
    assert_eq!(reports[0].samples, 0);
}

fn a_sleep_fails_by_wall_time() {
    let reports = gate(&[], &["wall=1.4"]).unwrap();
    assert_eq!(outcomes(&reports), [Outcome::Slower, Outcome::Slower]);
    assert!(reports[0].reason.starts_with("wall time"), "{}", reports[0].reason);
}

fn a_crash_is_an_error_that_names_the_side() {
    for (base, candidate, side) in
        [(&["crash"][..], &[][..], Arm::Base), (&[][..], &["crash"][..], Arm::Candidate)]
    {
        match gate(base, candidate) {
            Err(Error::Side { side: found, what }) => {
                assert_eq!(found, side);
                assert!(what.contains("crashed") && what.contains("on purpose"), "{what}");
            }
            other => panic!("{other:?}"),
        }
    }
}

fn kernels_of_one_side_are_listed() {
    let reports = gate(&["kernels=one,gone"], &["kernels=one,new"]).unwrap();
    let found: Vec<(&str, Outcome)> =
        reports.iter().map(|r| (r.test.as_str(), r.outcome)).collect();
    let expected =
        [("gone", Outcome::OnlyBase), ("new", Outcome::OnlyCandidate), ("one", Outcome::Passed)];
    assert_eq!((found.as_slice(), exit_code(&reports)), (&expected[..], 3));
}

fn a_program_that_cannot_be_understood_is_an_error() {
    match gate(&[], &["babble"]) {
        Err(Error::Side { side: Arm::Candidate, what }) => {
            assert!(what.contains("is no answer of a slice worker"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    let nothing = Program::of("/no/such/program");
    let programs = Sides { base: nothing, control: fake(&[]), candidate: fake(&[]) };
    let settings = Settings::new(Duration::from_secs(1));
    let mut source = Slices::new(programs, std::env::temp_dir(), 1, Arc::clone(&settings.cancel));
    let error = run(&settings, &mut source, &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("base: cannot start /no/such/program"), "{error}");
}

fn without_cpu_time_wall_time_is_judged() {
    let reports = gate(&["wall-only"], &["wall-only", "wall=1.03"]).unwrap();
    assert_eq!(outcomes(&reports), [Outcome::Slower, Outcome::Slower]);
    assert!(reports[0].wall.is_none() && reports[0].cost.is_some());
}
