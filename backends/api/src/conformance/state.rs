//! Sequences side by side, copied, cut and emptied: the answers must be those of the same tokens alone.

use super::bench::Bench;
use crate::{Rows, Sequence};

/// Three sequences of lengths 5, 11 and 1, then four batched steps in changing order.
pub(super) fn batch(bench: &mut Bench<'_>) -> Result<(), String> {
    let texts = [bench.case.tokens.clone(), bench.other_tokens(1), bench.other_tokens(2)];
    let starts = [5, 11, 1];
    let mut alone = Vec::new();
    for (text, start) in texts.iter().zip(starts) {
        alone.push(bench.alone(0, &text[..start + 4])?);
    }
    bench.empty()?;
    for (i, text) in texts.iter().enumerate() {
        bench.forward(&[(i as u32, &text[..starts[i]])], Rows::None)?;
    }
    let v = bench.vocab;
    for step in 0..4 {
        let order: Vec<usize> = (0..3).map(|i| (i + step) % 3).collect();
        let spans: Vec<_> = order
            .iter()
            .map(|&i| (i as u32, &texts[i][starts[i] + step..starts[i] + step + 1]))
            .collect();
        let logits = bench.forward(&spans, Rows::Last)?;
        for (row, &i) in order.iter().enumerate() {
            let at = starts[i] + step;
            let what = format!("sequence {i} at {at} in a batch");
            bench.judge(&what, &logits[row * v..(row + 1) * v], &alone[i][at * v..(at + 1) * v])?;
        }
    }
    Ok(())
}

/// Prefill of two sequences and a step of a third in one call.
pub(super) fn batched_prefill(bench: &mut Bench<'_>) -> Result<(), String> {
    let (tokens, other) = (bench.case.tokens.clone(), bench.other_tokens(3));
    let alone = bench.alone(0, &other[..7])?;
    bench.empty()?;
    bench.forward(&[(2, &tokens[..8])], Rows::None)?;
    let spans = [(0, &other[..7]), (2, &tokens[8..9]), (1, &tokens[..6])];
    let logits = bench.forward(&spans, Rows::All)?;
    let v = bench.vocab;
    bench.judge("first span", &logits[..7 * v], &alone)?;
    bench.judge("second span", &logits[7 * v..8 * v], bench.expected(8..9))?;
    bench.judge("third span", &logits[8 * v..], bench.expected(0..6))
}

/// Both the copy and the origin go on, differently, over what the copy held before.
pub(super) fn copy(bench: &mut Bench<'_>) -> Result<(), String> {
    let (tokens, other) = (bench.case.tokens.clone(), bench.other_tokens(4));
    let forked: Vec<_> = tokens[..9].iter().chain(&other[..3]).copied().collect();
    let alone = bench.alone(0, &forked)?;
    bench.empty()?;
    bench.forward(&[(0, &tokens[..9])], Rows::None)?;
    bench.forward(&[(2, &other[..14])], Rows::None)?;
    for (from, to) in [(0, 2), (2, 2)] {
        let copied = bench.session.copy(Sequence(from), Sequence(to));
        copied.map_err(|error| format!("copy {from} to {to}: {error}"))?;
        bench.expect_length(0, 9)?;
        bench.expect_length(2, 9)?;
    }
    let v = bench.vocab;
    let logits = bench.forward(&[(2, &other[..3])], Rows::All)?;
    bench.judge("the copy", &logits, &alone[9 * v..])?;
    let logits = bench.forward(&[(0, &tokens[9..12])], Rows::All)?;
    bench.judge("the origin", &logits, bench.expected(9..12))
}

/// Cut back and continued with other tokens, then cut again and continued with the first ones.
pub(super) fn truncate(bench: &mut Bench<'_>) -> Result<(), String> {
    let (tokens, other) = (bench.case.tokens.clone(), bench.other_tokens(5));
    let branched: Vec<_> = tokens[..6].iter().chain(&other[..4]).copied().collect();
    let alone = bench.alone(1, &branched)?;
    bench.forward(&[(0, &tokens[..15])], Rows::None)?;
    bench.truncate(0, 6)?;
    let mut logits = bench.forward(&[(0, &other[..3])], Rows::All)?;
    logits.extend(bench.forward(&[(0, &other[3..4])], Rows::All)?);
    bench.judge("after the cut", &logits, &alone[6 * bench.vocab..])?;
    bench.truncate(0, 4)?;
    let logits = bench.forward(&[(0, &tokens[4..10])], Rows::All)?;
    bench.judge("after the second cut", &logits, bench.expected(4..10))
}

pub(super) fn empty(bench: &mut Bench<'_>) -> Result<(), String> {
    let other = bench.other_tokens(6);
    bench.forward(&[(0, &other)], Rows::None)?;
    bench.truncate(0, 0)?;
    let logits = bench.forward(&[(0, &bench.case.tokens)], Rows::All)?;
    bench.judge("all rows", &logits, &bench.case.expected)
}
