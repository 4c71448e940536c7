//! What a comparison found, for people and programs.

mod markdown;
mod page;
mod text;
mod types;

pub use types::{Drift, Outcome, Report, SideReport, TestReport, exit_code};

/// Reasons of tests, each with how many share it, in the order they come.
fn reasons<'t>(tests: &[&'t TestReport]) -> Vec<(&'t str, usize)> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for test in tests {
        match reasons.iter_mut().find(|(reason, _)| *reason == test.reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((&test.reason, 1)),
        }
    }
    reasons
}
