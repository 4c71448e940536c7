//! Conversations: a line a turn.

use yardstick_analyse::{ChatView, Comparison, Row, TurnLine};

use super::{Block, Notes, cells, number_head, percent, time, title};
use crate::number::digits;
use crate::text::elide;

pub(super) fn block(comparison: &Comparison, row: &Row, view: &ChatView) -> Block {
    let heads = vec![
        number_head("turn", 0),
        number_head("n", 3),
        number_head("held", 2),
        number_head("new", 2),
        number_head("first token", 0),
        number_head("from scratch", 0),
        number_head("saved", 0),
        number_head("t/s", 0),
    ];
    let mut notes = Notes::default();
    let rows = view.turns.iter().map(|line| cells(line, &mut notes)).collect();
    let mut block = Block::new(title("Conversations", comparison, row), heads).fill(rows, notes);
    if let Some(saving) = view.saving.value() {
        block.sentences.push(format!(
            "Keeping keys and values saves {} of the time to the first token after the first turn.",
            percent(*saving)
        ));
    }
    let (same, compared) = view.same;
    block.remarks = vec![
        format!(
            "Medians over {} conversations; held: positions kept from the turns before; from scratch: all of them read anew.",
            view.conversations
        ),
        format!(
            "Answers alike both ways: {same} of {compared}. Tokens: {}.",
            elide(&view.tokens, 200)
        ),
    ];
    block
}

fn cells(line: &TurnLine, notes: &mut Notes) -> Vec<super::Field> {
    let whole = |value: &f64| format!("{value:.0}");
    vec![
        cells::text(line.turn.to_string()),
        cells::text(line.n.to_string()),
        cells::known(&line.held, notes, whole),
        cells::known(&line.new, notes, whole),
        time(&line.kept_ns, notes),
        time(&line.scratch_ns, notes),
        cells::known(&line.saving, notes, |saving| percent(*saving)),
        cells::known(&line.speed, notes, |speed| digits(*speed)),
    ]
}
