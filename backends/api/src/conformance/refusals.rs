//! Calls that break the contract: an error each, lengths as they were, and the session goes on working.

use std::ops::ControlFlow;

use super::bench::{Bench, SEQUENCES};
use crate::{Batch, Rows, Sequence, Span, Token};

type Spans<'a> = &'a [(u32, &'a [Token])];

pub(super) fn forward(bench: &mut Bench<'_>) -> Result<(), String> {
    let tokens = bench.case.tokens.clone();
    bench.forward(&[(0, &tokens[..6])], Rows::None)?;
    bench.forward(&[(1, &tokens[..3])], Rows::None)?;
    let beyond = [tokens[6], bench.vocab as Token];
    let full = vec![tokens[0]; bench.facts.context - 5];
    let (good, mask) = (&tokens[6..8], [true; 3]);
    let calls: [(&str, Spans<'_>, Rows<'_>); 11] = [
        ("a token beyond the vocabulary", &[(0, &beyond)], Rows::Last),
        ("the same after a good span", &[(1, good), (0, &beyond)], Rows::Last),
        ("the largest token id", &[(0, &[Token::MAX])], Rows::None),
        ("an empty span", &[(0, &[])], Rows::Last),
        ("an empty span after a good one", &[(0, good), (1, &[])], Rows::Last),
        ("a sequence twice", &[(0, good), (1, good), (0, good)], Rows::Last),
        ("a sequence out of range", &[(0, good), (SEQUENCES as u32, good)], Rows::Last),
        ("the largest sequence", &[(u32::MAX, good)], Rows::None),
        ("one token more than fits", &[(0, &full)], Rows::Last),
        ("one token more than fits, last", &[(1, good), (0, &full)], Rows::None),
        ("a mask too long", &[(0, good)], Rows::Mask(&mask)),
    ];
    for (name, spans, rows) in calls {
        refused(bench, name, spans, rows)?;
        bench.expect_length(0, 6).map_err(|error| format!("after {name}: {error}"))?;
        bench.expect_length(1, 3).map_err(|error| format!("after {name}: {error}"))?;
    }
    let logits = bench.forward(&[(0, &tokens[6..9])], Rows::All)?;
    bench.judge("afterwards", &logits, bench.expected(6..9))?;
    fits_exactly(bench)
}

fn refused(
    bench: &mut Bench<'_>,
    name: &str,
    spans: Spans<'_>,
    rows: Rows<'_>,
) -> Result<(), String> {
    let spans: Vec<Span<'_>> = spans
        .iter()
        .map(|&(sequence, tokens)| Span { sequence: Sequence(sequence), tokens })
        .collect();
    match bench.session.forward(&Batch { spans: &spans, rows }) {
        Err(_) => Ok(()),
        Ok(()) => Err(format!("{name} was accepted")),
    }
}

/// The context's last position is usable, the one behind it is not.
fn fits_exactly(bench: &mut Bench<'_>) -> Result<(), String> {
    bench.truncate(2, 0)?;
    let full = vec![bench.case.tokens[0]; bench.facts.context];
    bench.forward(&[(2, &full)], Rows::None)?;
    refused(bench, "a token in a full sequence", &[(2, &full[..1])], Rows::Last)?;
    bench.expect_length(2, full.len())
}

pub(super) fn sequences(bench: &mut Bench<'_>) -> Result<(), String> {
    bench.forward(&[(0, &bench.case.tokens[..4])], Rows::None)?;
    let (good, bad) = (Sequence(0), Sequence(SEQUENCES as u32));
    let session = &mut bench.session;
    let outcomes = [
        ("truncate to more than it holds", session.truncate(good, 5)),
        ("truncate of a sequence out of range", session.truncate(bad, 0)),
        ("copy from a sequence out of range", session.copy(bad, good)),
        ("copy to a sequence out of range", session.copy(good, bad)),
    ];
    if let Some((name, _)) = outcomes.iter().find(|(_, outcome)| outcome.is_ok()) {
        return Err(format!("{name} was accepted"));
    }
    if session.length(bad) != 0 {
        return Err("a sequence out of range has a length".into());
    }
    bench.expect_length(0, 4)
}

pub(super) fn generate(bench: &mut Bench<'_>) -> Result<(), String> {
    let token = bench.case.tokens[0];
    let calls = [
        ("more tokens than fit", Sequence(0), token, bench.facts.context + 1),
        ("a first token beyond the vocabulary", Sequence(0), bench.vocab as Token, 2),
        ("a sequence out of range", Sequence(SEQUENCES as u32), token, 2),
    ];
    for (name, sequence, token, n) in calls {
        let emit = &mut |_, _: &[Token]| ControlFlow::Continue(());
        if bench.session.generate(&[(sequence, token)], n, emit).is_ok() {
            return Err(format!("{name} was accepted"));
        }
        bench.empty()?;
    }
    let logits = bench.alone(0, &bench.case.tokens)?;
    bench.judge("afterwards", &logits, &bench.case.expected)
}
