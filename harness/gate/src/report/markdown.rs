//! The report as markdown: a comment under a pull request.

use std::fmt::Write;

use super::{Outcome, Report, TestReport};

/// Rows of tests that passed or were skipped, folded away beyond.
const SHOWN: usize = 10;

impl Report {
    /// A headline, a table of what was measured, the worst first, and what to do.
    pub fn markdown(&self) -> String {
        let mut text = format!("### Gate: {}\n\n", self.headline());
        let commit = |side: &super::SideReport| match &side.commit {
            Some(commit) => format!("`{}`", commit.get(..12).unwrap_or(commit)),
            None => format!("`{}`", side.asked.replace('`', "'")),
        };
        let sides = (commit(&self.base), commit(&self.candidate));
        let _ = writeln!(text, "Base {}, candidate {}.\n", sides.0, sides.1);
        for (outcome, tests) in self.by_outcome() {
            match outcome {
                Outcome::Skipped | Outcome::Unaffordable => counted(&mut text, outcome, &tests),
                Outcome::Passed if tests.len() > SHOWN => {
                    let _ = writeln!(text, "<details><summary>{} passed</summary>\n", tests.len());
                    table(&mut text, &tests);
                    text.push_str("\n</details>\n\n");
                }
                _ => {
                    table(&mut text, &tests);
                    text.push('\n');
                }
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "* {}", cell(note));
        }
        if let Some(decide) = &self.decide {
            let minutes =
                self.decide_minutes.map_or_else(String::new, |m| format!(", about {m:.0} minutes"));
            let _ = writeln!(text, "\nTo decide{minutes}: `{}`", decide.replace('`', "'"));
        }
        text
    }
}

fn table(text: &mut String, tests: &[&TestReport]) {
    text.push_str("| test | outcome | change | control | launches | why |\n| --- | --- | ---: | ---: | ---: | --- |\n");
    for test in tests {
        let percent = |value: Option<f64>| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{:+.1} %", 100.0 * value))
        };
        let cost = test.cost.as_ref();
        let launches = cost.map_or_else(|| "–".to_owned(), |cost| cost.launches.to_string());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {launches} | {} |",
            cell(&test.test),
            test.outcome.name(),
            percent(cost.and_then(|cost| cost.estimate)),
            percent(cost.and_then(|cost| cost.control)),
            cell(&test.reason),
        );
    }
}

/// Tests without figures, by their reason.
fn counted(text: &mut String, outcome: Outcome, tests: &[&TestReport]) {
    for (reason, tests) in super::reasons(tests) {
        let _ = writeln!(text, "{} {}: {}.\n", cell(&tests), outcome.name(), cell(reason));
    }
}

/// Fit for a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
