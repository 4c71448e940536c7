//! What a comparison found, for people and programs.

mod markdown;
mod page;
mod text;
mod types;

pub use types::{Drift, Outcome, Report, SideReport, TestReport, exit_code};

/// Reasons of tests in the order they come, each with the name of the one test that has it, or how many share it.
fn reasons<'t>(tests: &[&'t TestReport]) -> Vec<(&'t str, String)> {
    let mut reasons: Vec<(&str, &str, usize)> = Vec::new();
    for test in tests {
        match reasons.iter_mut().find(|(reason, ..)| *reason == test.reason) {
            Some((_, _, count)) => *count += 1,
            None => reasons.push((&test.reason, &test.test, 1)),
        }
    }
    let named = |(reason, name, count): (&'t str, &str, usize)| match count {
        1 => (reason, name.to_owned()),
        _ => (reason, format!("{count} tests")),
    };
    reasons.into_iter().map(named).collect()
}
