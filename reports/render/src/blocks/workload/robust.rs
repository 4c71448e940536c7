//! Hard inputs: a line each.

use yardstick_analyse::{CheckLine, Comparison, RobustView, Row};

use super::{Block, Head, Notes, cells, title};
use crate::text::elide;

/// Characters of what was expected and of what came.
const WORDS: usize = 60;

pub(super) fn block(comparison: &Comparison, row: &Row, view: &RobustView) -> Block {
    let heads = vec![
        cells::words("input"),
        cells::words("verdict"),
        cells::words("what came"),
        Head { gives_way: 1, ..cells::words("what should") },
    ];
    let rows = view.checks.iter().map(cells).collect();
    let mut block =
        Block::new(title("Hard inputs", comparison, row), heads).fill(rows, Notes::default());
    let (passed, tried) = view.checks.iter().fold((0, 0), |(passed, tried), line| {
        (
            passed + usize::from(line.passed.0 == line.passed.1 && line.passed.1 > 0),
            tried + usize::from(line.passed.1 > 0),
        )
    });
    block
        .sentences
        .push(format!("Of {passed} of the {tried} inputs that could be tried came what should."));
    block
}

fn cells(line: &CheckLine) -> Vec<super::Field> {
    let verdict = match line.check.passed {
        Some(true) => "passed",
        Some(false) => "FAILED",
        None => "not tried",
    };
    vec![
        cells::text(elide(&line.check.name, WORDS)),
        cells::text(verdict.to_owned()),
        cells::text(elide(&line.check.found, WORDS)),
        cells::text(elide(&line.check.expected, WORDS)),
    ]
}
