//! Logits against the known answers: at once, step by step, in uneven spans, and only where asked.

use super::bench::Bench;
use crate::Rows;

pub(super) fn prefill(bench: &mut Bench<'_>) -> Result<(), String> {
    let logits = bench.alone(0, &bench.case.tokens)?;
    bench.judge("all rows", &logits, &bench.case.expected)
}

pub(super) fn step(bench: &mut Bench<'_>) -> Result<(), String> {
    let mut logits = Vec::new();
    for token in &bench.case.tokens {
        logits.extend(bench.forward(&[(0, &[*token])], Rows::Last)?);
    }
    bench.judge("all steps", &logits, &bench.case.expected)
}

/// The same tokens cut into calls of 1, 2, 3, ... tokens.
pub(super) fn uneven_spans(bench: &mut Bench<'_>) -> Result<(), String> {
    let (tokens, mut start, mut logits) = (&bench.case.tokens, 0, Vec::new());
    for length in 1.. {
        let end = tokens.len().min(start + length);
        logits.extend(bench.forward(&[(1, &tokens[start..end])], Rows::All)?);
        start = end;
        if start == tokens.len() {
            break;
        }
    }
    bench.judge("all spans", &logits, &bench.case.expected)
}

/// None, last and mask, in one batch of two spans where the rows could be mixed up.
pub(super) fn rows(bench: &mut Bench<'_>) -> Result<(), String> {
    let tokens = &bench.case.tokens;
    let other = bench.other_tokens(1);
    let alone = bench.alone(1, &other[..4])?;
    let mask: Vec<bool> = (0..10).map(|i| [1, 3, 6, 9].contains(&i)).collect();
    let v = bench.vocab;
    let pick = |six: &[usize], four: &[usize]| {
        let mut rows: Vec<f32> =
            six.iter().flat_map(|&i| bench.expected(i..i + 1)).copied().collect();
        four.iter().for_each(|&i| rows.extend(&alone[i * v..(i + 1) * v]));
        rows
    };
    let cases = [
        ("none", Rows::None, Vec::new()),
        ("last", Rows::Last, pick(&[5], &[3])),
        ("mask", Rows::Mask(&mask), pick(&[1, 3], &[0, 3])),
        ("an empty mask", Rows::Mask(&[false; 10]), Vec::new()),
    ];
    for (name, rows, expected) in cases {
        bench.empty()?;
        let logits = bench.forward(&[(2, &tokens[..6]), (0, &other[..4])], rows)?;
        if !expected.is_empty() {
            bench.judge(name, &logits, &expected)?;
        }
        // What came before counts even if no logits were asked of it.
        let next = bench.forward(&[(2, &tokens[6..7])], Rows::Last)?;
        bench.judge(name, &next, bench.expected(6..7))?;
    }
    Ok(())
}
