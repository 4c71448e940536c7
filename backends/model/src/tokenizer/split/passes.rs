//! One regular expression of a pre-tokenizer: what it matches becomes pieces, and so does what is between.

use super::classes::{Char, LETTER, NUMBER, PUNCTUATION, SPACE, Text};
use super::{letters, words};

/// One pass over a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pass {
    /// The pattern of GPT-2.
    Gpt2,
    /// The pattern of Llama 3 and, with single digits, of Qwen 2.
    Llama3 {
        /// Digits that may stay together.
        digits: usize,
    },
    /// `[\r\n]`
    EachLineEnd,
    /// `\p{N}`
    EachNumber,
    /// `\p{N}+`
    Numbers,
    /// `[0-9][0-9][0-9]`
    ThreeDigits,
    /// `[\p{P}$+<=>^~|]+`
    Signs {
        /// Also the backtick.
        backtick: bool,
    },
    /// `\s?\p{L}+`
    SpacedLetters,
    /// `\s?\p{P}+`
    SpacedPunctuation,
    /// `\s?[A-Za-zµÀ-Ö…]+`
    SpacedCased,
    /// `\s?[!-/:-~！-／…]+`
    SpacedMarks,
    /// `\s+$`
    SpacesAtEnd,
    /// `[一-龥ࠀ-一가-퟿]+`
    Asian,
}

impl Pass {
    /// Calls `each` with every piece.
    pub(super) fn cut<E>(
        self,
        text: &Text<'_>,
        each: &mut impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Pass::Gpt2 => tile(text, words::gpt2, each),
            Pass::Llama3 { digits } => tile(text, |t, p, c| words::llama3(t, p, c, digits), each),
            Pass::EachLineEnd => find(text, |_, p, c| c.is_line_end().then_some(p + 1), each),
            Pass::EachNumber => find(text, |_, p, c| c.is(NUMBER).then_some(p + c.len), each),
            Pass::Numbers => find(text, run(|c| c.is(NUMBER)), each),
            Pass::ThreeDigits => find(text, three_digits, each),
            Pass::Signs { backtick } => find(text, run(|c| is_sign(c, backtick)), each),
            Pass::SpacedLetters => find(text, spaced(|c| c.is(LETTER)), each),
            Pass::SpacedPunctuation => find(text, spaced(|c| c.is(PUNCTUATION)), each),
            Pass::SpacedCased => find(text, spaced(|c| letters::is_cased(c.code)), each),
            Pass::SpacedMarks => find(text, spaced(|c| letters::is_mark(c.code)), each),
            Pass::SpacesAtEnd => spaces_at_end(text, each),
            Pass::Asian => find(text, run(|c| letters::is_asian(c.code)), each),
        }
    }
}

/// Pieces of a pattern that matches everywhere.
fn tile<E>(
    text: &Text<'_>,
    end_of: impl Fn(&Text<'_>, usize, Char) -> usize,
    each: &mut impl FnMut(usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut position = 0;
    while let Some(c) = text.at(position) {
        let end = end_of(text, position, c);
        each(position, end)?;
        position = end;
    }
    Ok(())
}

/// Pieces of a pattern that matches here and there: `end_of` says where the match that begins at a character ends.
fn find<E>(
    text: &Text<'_>,
    end_of: impl Fn(&Text<'_>, usize, Char) -> Option<usize>,
    each: &mut impl FnMut(usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    let (mut done, mut position) = (0, 0);
    while let Some(c) = text.at(position) {
        let Some(end) = end_of(text, position, c) else {
            position += c.len;
            continue;
        };
        if position > done {
            each(done, position)?;
        }
        each(position, end)?;
        (done, position) = (end, end);
    }
    if position > done { each(done, position) } else { Ok(()) }
}

/// `[..]+`; no space above ASCII is a member of anything (llama.cpp replaces them before it matches).
fn run(
    member: impl Fn(Char) -> bool + Copy,
) -> impl Fn(&Text<'_>, usize, Char) -> Option<usize> + Copy {
    let member = move |c: Char| member(c) && !c.is(SPACE);
    move |text, position, c| member(c).then(|| text.run(position + c.len, member))
}

/// `\s?[..]+`
fn spaced(
    member: impl Fn(Char) -> bool + Copy,
) -> impl Fn(&Text<'_>, usize, Char) -> Option<usize> {
    let run = run(member);
    move |text, position, c| match c.is(SPACE) {
        true => run(text, position + c.len, text.at(position + c.len)?),
        false => run(text, position, c),
    }
}

fn is_sign(c: Char, backtick: bool) -> bool {
    let symbol =
        u8::try_from(c.code).is_ok_and(|b| b"$+<=>^~|".contains(&b) || backtick && b == b'`');
    symbol || c.is(PUNCTUATION)
}

fn three_digits(text: &Text<'_>, position: usize, _: Char) -> Option<usize> {
    let digit = |c: Char| (0x30..=0x39).contains(&c.code);
    (0..3).all(|i| text.at(position + i).is_some_and(digit)).then_some(position + 3)
}

fn spaces_at_end<E>(
    text: &Text<'_>,
    each: &mut impl FnMut(usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    let (mut start, mut position) = (0, 0);
    while let Some(c) = text.at(position) {
        position += c.len;
        if !c.is(SPACE) {
            start = position;
        }
    }
    if start > 0 {
        each(0, start)?;
    }
    if position > start { each(start, position) } else { Ok(()) }
}
