//! Hard inputs: of which came what should, over all launches.

use yardstick_api::Known;
use yardstick_record::{Checked, Record, Robust, Workload};

/// Hard inputs of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RobustView {
    /// In the order they were tried.
    pub checks: Vec<CheckLine>,
}

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckLine {
    /// Of the launch in which it went worst.
    pub check: Checked,
    /// Launches in which it went well, and in which it could be tried.
    pub passed: (usize, usize),
}

/// Share of the inputs tried of which came what should, percent.
pub(super) fn passed(robust: &Robust) -> Known<f64> {
    let tried: Vec<bool> = robust.checks.iter().filter_map(|check| check.passed).collect();
    match tried.is_empty() {
        true => Known::unavailable("nothing could be tried"),
        false => {
            let passed = tried.iter().filter(|passed| **passed).count();
            Known::Value(100.0 * passed as f64 / tried.len() as f64)
        }
    }
}

pub(super) fn view(records: &[&Record]) -> Option<RobustView> {
    let mut lines: Vec<CheckLine> = Vec::new();
    for record in records {
        let Some(Workload::Robust(robust)) = record.workload.as_deref() else { continue };
        for check in &robust.checks {
            let line = match lines.iter_mut().find(|line| line.check.name == check.name) {
                Some(line) => line,
                None => {
                    lines.push(CheckLine { check: check.clone(), passed: (0, 0) });
                    let last = lines.len() - 1;
                    &mut lines[last]
                }
            };
            if let Some(passed) = check.passed {
                line.passed = (line.passed.0 + usize::from(passed), line.passed.1 + 1);
                let worse = !passed && line.check.passed != Some(false);
                if worse || line.check.passed.is_none() {
                    line.check = check.clone();
                }
            }
        }
    }
    (!lines.is_empty()).then_some(RobustView { checks: lines })
}
