//! The report as text for a terminal.

use super::{Outcome, Report, TestReport};
use std::fmt::Write;

/// Passed tests shown before the rest is a number.
const SHOWN: usize = 12;

impl Report {
    /// One line a test, the worst first; what passed or was skipped in numbers where there are many.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}", self.headline());
        let side = |side: &super::SideReport| match &side.note {
            Some(note) => format!("{} ({note})", side.asked),
            None => side.asked.clone(),
        };
        let _ = writeln!(text, "base {}; candidate {}", side(&self.base), side(&self.candidate));
        let width = self.tests.iter().map(|test| test.test.chars().count()).max().unwrap_or(0);
        for (outcome, tests) in self.by_outcome() {
            if matches!(outcome, Outcome::Skipped | Outcome::Unaffordable) {
                for (reason, count) in super::reasons(&tests) {
                    let tests = format!("{count} tests");
                    let _ = writeln!(text, "{:13} {tests:width$}  {reason}", outcome.name());
                }
                continue;
            }
            let shown = if outcome == Outcome::Passed { SHOWN } else { tests.len() };
            for test in tests.iter().take(shown) {
                let (word, name) = (outcome.name(), &test.test);
                let _ = writeln!(text, "{word:13} {name:width$}  {}", test.reason);
            }
            if tests.len() > shown {
                let _ = writeln!(text, "{:13} and {} more", outcome.name(), tests.len() - shown);
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        if let Some(decide) = &self.decide {
            let minutes = match self.decide_minutes {
                Some(minutes) => format!(" (about {minutes:.0} minutes)"),
                None => String::new(),
            };
            let _ = writeln!(text, "to decide{minutes}: {decide}");
        }
        text
    }

    /// `FAIL: 2 slower, 14 passed, 120 skipped, in 73 s`
    pub fn headline(&self) -> String {
        let word = match self.exit_code {
            0 => "PASS",
            1 => "FAIL",
            _ => "INCONCLUSIVE",
        };
        let counts = self.by_outcome();
        let counts =
            counts.iter().map(|(outcome, tests)| format!("{} {}", tests.len(), outcome.name()));
        let counts: Vec<String> = counts.collect();
        let counts = if counts.is_empty() { "no tests".to_owned() } else { counts.join(", ") };
        format!("{word}: {counts}, in {:.0} s", self.seconds)
    }

    /// Tests of each outcome there is, the worst first.
    pub(super) fn by_outcome(&self) -> Vec<(Outcome, Vec<&TestReport>)> {
        let mut groups: Vec<(Outcome, Vec<&TestReport>)> = Vec::new();
        for test in &self.tests {
            match groups.iter_mut().find(|(outcome, _)| *outcome == test.outcome) {
                Some((_, tests)) => tests.push(test),
                None => groups.push((test.outcome, vec![test])),
            }
        }
        groups.sort_by_key(|(outcome, _)| *outcome);
        groups
    }
}
