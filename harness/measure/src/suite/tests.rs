//! Suites: what is accepted, where errors point, and that FORMAT.md leaves nothing out.

use proptest::prelude::*;

use super::*;

const FORMAT: &str = include_str!("../../../../suites/FORMAT.md");

const SMALLEST: &str = r#"
name = "n"
analysis = "a"
tests = ["pp4"]
models = ["m"]
devices = ["cpu"]
"#;

fn error(text: &str) -> String {
    Suite::parse("s.toml", text).unwrap_err().to_string()
}

#[test]
fn the_example_in_format_md_means_what_it_says() {
    let text = FORMAT.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let suite = Suite::parse("FORMAT.md", text).unwrap();
    let tests: Vec<String> = suite.tests.iter().map(Test::to_string).collect();
    assert_eq!(tests, ["pp512", "tg128", "tg128@d2048"]);
    assert_eq!(suite.options.threads, [Some(1), Some(2), Some(4), Some(8)]);
    assert_eq!(suite.options.combinations().len(), 8);
    assert_eq!(suite.sampling.max_seconds, 10.0);
    assert_eq!(suite.budgets[0].threshold, Threshold::Percent(3.0));
    assert_eq!(suite.budgets[0].direction, Direction::Higher);
    assert!(suite.except[0].scope.matches("reference:f32", "m", "tg128@d2048".parse().unwrap()));
    assert!(!suite.except[0].scope.matches("reference:f32", "m", "pp512".parse().unwrap()));
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let suite = Suite::parse("s.toml", SMALLEST).unwrap();
    assert_eq!(suite.options, Sweep::default());
    assert_eq!(suite.sampling, Sampling::default());
    assert_eq!(suite.deadlines, Deadlines::default());
    assert_eq!((suite.launches, suite.verify), (1, true));
    for (key, seconds) in [("load", 600), ("stop", 2), ("heartbeat", 60)] {
        assert!(FORMAT.contains(&format!("| `{key}` | {seconds} |")), "{key}");
    }
}

#[test]
fn errors_have_line_column_key_found_and_expected() {
    for (broken, expected) in [
        ("tests = [\"pp4\"]", "s.toml:1:1: missing field `name`"),
        (
            "[sampling]\nmin = 3",
            "s.toml:8:1: key `sampling.min`: unknown field `min`, expected one of `min_repetitions`",
        ),
        ("colour = 3", "s.toml:7:1: key `colour`: unknown field `colour`, expected one of `name`"),
        (
            "launches = 0",
            "s.toml:7:12: key `launches`: found \"0\", expected a whole number from 1 to 1000",
        ),
        (
            "launches = \"x\"",
            "s.toml:7:12: key `launches`: invalid type: string \"x\", expected i64",
        ),
        (
            "quantisations = [\"Q4_0\",\n  \"\"]",
            "s.toml:8:3: key `quantisations`: found \"\", expected a format",
        ),
        (
            "[options]\nthreads = [1, \"4-2\"]",
            "s.toml:8:15: key `options.threads`: found \"4-2\", expected a whole number from 1",
        ),
        (
            "[options]\nthreads = [1.5]",
            "s.toml:8:12: key `options.threads`: invalid type: floating point `1.5`, expected a whole number or a string",
        ),
        (
            "[options]\nkv = []",
            "s.toml:8:6: key `options.kv`: found \"0 values\", expected 1 to 1000 values",
        ),
        (
            "[options]\nkv = [\"q8\"]",
            "s.toml:8:7: key `options.kv`: found \"q8\", expected f32, f16",
        ),
        (
            "[sampling]\ninterval = 2.0",
            "s.toml:8:12: key `sampling.interval`: found \"2\", expected a number from 0 to 1",
        ),
        (
            "[sampling]\nmin_repetitions = 200",
            "s.toml:8:19: key `sampling.min_repetitions`: found \"200\", expected at most max_repetitions, 100",
        ),
        (
            "[deadlines]\nload = -1.0",
            "s.toml:8:8: key `deadlines.load`: found \"-1\", expected a number from 0.001 to 604800",
        ),
        (
            "[[except]]\nreason = \"r\"",
            "s.toml:8:10: key `except.reason`: found \"a rule for every cell\"",
        ),
        (
            "[[budget]]\nmetric = \"speed\"\nthreshold = 1",
            "s.toml:8:10: key `budget.metric`: found \"speed\", expected tokens_per_second, time_ns",
        ),
        (
            "[[budget]]\nmetric = \"time_ns\"\ndirection = \"higher\"\nthreshold = 1",
            "s.toml:9:13: key `budget.direction`: found \"higher\", expected lower",
        ),
        (
            "[[budget]]\nmetric = \"time_ns\"\nthreshold = \"lots\"",
            "s.toml:9:13: key `budget.threshold`: found \"\\\"lots\\\"\", expected a number",
        ),
        ("[[budget]]\nmetric = \"time_ns\"", "s.toml:7:1: key `budget`: missing field `threshold`"),
        ("name = \"again\"", "s.toml:7:1: key `name`: duplicate key"),
        ("verify = maybe", "s.toml:7:10: key `verify`: "),
    ] {
        let text = if broken.starts_with("tests") {
            broken.to_owned()
        } else {
            format!("{SMALLEST}{broken}\n")
        };
        let found = error(&text);
        assert!(found.starts_with(expected), "{broken}\n  found    {found}\n  expected {expected}");
        assert!(!found.contains('\n'), "{found}");
    }
}

#[test]
fn a_test_that_is_not_one_is_found_in_its_list() {
    let text = SMALLEST.replace("[\"pp4\"]", "[\n  \"pp4\",\n  \"warp9\",\n]");
    let found = error(&text);
    assert!(
        found.starts_with("s.toml:6:3: key `tests`: found \"warp9\", expected load, ppN"),
        "{found}"
    );
    assert!(error(&SMALLEST.replace("[\"pp4\"]", "[]")).contains("expected 1 to 1000 values"));
}

#[test]
fn columns_count_characters() {
    let found = error(&SMALLEST.replace("[\"pp4\"]", "[\"pp4\", \"größe\", \"pp\"]"));
    assert!(found.starts_with("s.toml:4:17: "), "{found}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Suite::read(std::path::Path::new("/nonexistent/s.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/s.toml: "), "{error}");
}

#[test]
fn format_md_documents_every_key() {
    let tables = [
        "",
        "[options]\n",
        "[sampling]\n",
        "[deadlines]\n",
        "[workload]\n",
        "[[except]]\n",
        "[[budget]]\n",
    ];
    for table in tables {
        let message = error(&format!("{SMALLEST}{table}zzz = 1\n"));
        let keys = message.split("expected one of ").nth(1).unwrap();
        let keys: Vec<&str> = keys.split('`').skip(1).step_by(2).collect();
        assert!(keys.len() >= 4, "{message}");
        for key in keys {
            assert!(FORMAT.contains(&format!("| `{key}` |")), "{table}{key} is not documented");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the file holds: a suite or an error that fits on a line.
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Suite::parse("s.toml", &text);
    }

    #[test]
    fn no_change_of_a_suite_panics(
        at in 0..FORMAT.len(),
        cut in 0_usize..20,
        insert in "[\\[\\]\"'=,.{}#\\\\\n0-9a-zé-]{0,8}",
    ) {
        let text = FORMAT.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let mut at = at % text.len();
        while !text.is_char_boundary(at) { at -= 1; }
        let mut end = (at + cut).min(text.len());
        while !text.is_char_boundary(end) { end -= 1; }
        let changed = format!("{}{insert}{}", &text[..at], &text[end.max(at)..]);
        if let Err(error) = Suite::parse("s.toml", &changed) {
            let error = error.to_string();
            prop_assert!(error.starts_with("s.toml:") && !error.contains('\n'), "{}", error);
        }
    }

    #[test]
    fn no_list_panics(text in "[0-9a-z@,*+. -]{0,40}") {
        let _ = (parse_tests(&text), parse_counts(&text), parse_automatic(&text));
        let _ = (parse_kv(&text), parse_numerics(&text), parse_switches(&text));
    }
}
