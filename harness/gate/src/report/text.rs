//! The report as text for a terminal.

use std::fmt::Write;

use yardstick_render::clean;

use super::{Outcome, Report, TestReport};

/// Passed tests shown before the rest is a number.
const SHOWN: usize = 12;
/// Columns of an outcome.
const WORD: usize = 14;
/// Narrower text would be a column of syllables.
const LEAST: usize = 40;

impl Report {
    /// A test and its reason, the worst first, within so many columns; what passed or was skipped in numbers where there are many.
    pub fn text(&self, columns: usize) -> String {
        let columns = columns.max(LEAST);
        let mut text = String::new();
        wrapped(&mut text, "", &self.headline(), columns);
        let side = |side: &super::SideReport| match &side.note {
            Some(note) => format!("{} ({note})", side.asked),
            None => side.asked.clone(),
        };
        let sides = format!("base {}; candidate {}", side(&self.base), side(&self.candidate));
        wrapped(&mut text, "", &sides, columns);
        let names = self.tests.iter().map(|test| test.test.chars().count());
        // Reasons beside their names where the longest name leaves half of the line, else below.
        let beside = names.max().filter(|width| WORD + width + 2 <= columns / 2);
        let line = |text: &mut String, word: &str, name: &str, reason: &str| match beside {
            Some(width) => {
                wrapped(text, &format!("{word:13} {:width$}  ", clean(name)), reason, columns);
            }
            None => {
                let _ = writeln!(text, "{word:13} {}", clean(name));
                wrapped(text, &" ".repeat(WORD), reason, columns);
            }
        };
        for (outcome, tests) in self.by_outcome() {
            if matches!(outcome, Outcome::Skipped | Outcome::Unaffordable) {
                for (reason, tests) in super::reasons(&tests) {
                    line(&mut text, outcome.name(), &tests, reason);
                }
                continue;
            }
            let shown = if outcome == Outcome::Passed { SHOWN } else { tests.len() };
            for test in tests.iter().take(shown) {
                line(&mut text, outcome.name(), &test.test, &test.reason);
            }
            if tests.len() > shown {
                let _ = writeln!(text, "{:13} and {} more", outcome.name(), tests.len() - shown);
            }
        }
        for note in &self.notes {
            wrapped(&mut text, "note: ", note, columns);
        }
        if let Some(decide) = &self.decide {
            let minutes = match self.decide_minutes {
                Some(minutes) => format!(" (about {minutes:.0} minutes)"),
                None => String::new(),
            };
            // A command stays in one piece.
            let _ = writeln!(text, "to decide{minutes}: {}", clean(decide));
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

/// Words after a beginning, on lines that are indented as far as it; its first line is never empty.
fn wrapped(text: &mut String, before: &str, words: &str, columns: usize) {
    let indent = before.chars().count();
    let words = clean(words);
    let (mut used, mut empty) = (indent, true);
    text.push_str(before);
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let wide = word.chars().count();
        if !empty && used + 1 + wide > columns {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            (used, empty) = (indent, true);
        }
        if !empty {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        (used, empty) = (used + wide, false);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_within_their_columns_and_below_their_beginning() {
        let mut text = String::new();
        wrapped(&mut text, "note: ", "one two three \u{1b}[31mfour", 16);
        assert_eq!(text, "note: one two\n      three\n      \u{FFFD}[31mfour\n");
    }
}
