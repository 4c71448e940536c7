//! The gate on real processes: this program is the slice worker too, one that makes its times up, so that every decision is told
//! beforehand.
#![allow(clippy::unwrap_used, reason = "a test")]

mod fake;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use yardstick_gate::{
    Arm, Drift, Error, Outcome, Program, Settings, Sides, Slices, Source, TestReport, exit_code,
    run,
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
    ("what_was_computed_is_not_computed_again", what_was_computed_is_not_computed_again),
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

fn what_was_computed_is_not_computed_again() {
    if !std::path::Path::new("/proc/cpuinfo").exists() {
        println!("skipped: the processor is not known");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (asked, outputs) = (folder.path().join("asked"), folder.path().join("outputs"));
    let told = format!("asked={}", asked.display());
    let drifts = |candidate: &[&str]| {
        let programs = Sides {
            base: fake(&[&told]),
            control: fake(&[&told]),
            candidate: fake(&[&[told.as_str()][..], candidate].concat()),
        };
        let data = folder.path().join("data");
        let source = Slices::new(programs, data, 1, Arc::default());
        let tests = ["one", "two"].map(str::to_owned);
        let drifts = source.remembering(outputs.clone()).drift(&tests).unwrap();
        (drifts, std::fs::read_to_string(&asked).unwrap().len())
    };
    let values = |folder: &std::path::Path| -> Vec<PathBuf> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|e| e == "values")).collect()
    };
    assert_eq!(drifts(&[]), (vec![Drift::None, Drift::None], 4));
    assert_eq!(drifts(&[]), (vec![Drift::None, Drift::None], 4));
    // Another candidate computes for itself, against what the base computed before.
    let (found, asked) = drifts(&["values=2"]);
    assert!(found.iter().all(|drift| matches!(drift, Drift::Error { .. })), "{found:?}");
    assert_eq!((asked, drifts(&["values=2"])), (6, (found, 6)));
    // Damaged values are computed anew, once: both kernels and both sides have the same.
    assert_eq!(values(&outputs).len(), 2);
    values(&outputs).iter().for_each(|file| std::fs::write(file, [0; 8]).unwrap());
    assert_eq!(drifts(&[]), (vec![Drift::None, Drift::None], 7));
}
