//! The two big patterns, as one step each: where does the word that begins here end?
//!
//! A step looks at one character after what it takes and never back, so a text is cut in linear time.

use super::classes::{Char, LETTER, NUMBER, SPACE, Text};

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
pub(crate) fn gpt2(text: &Text<'_>, position: usize, c: Char) -> usize {
    if let Some(end) = contraction(text, position, c, false) {
        return end;
    }
    let (start, first) = after_space(text, position, c);
    match first {
        Some(first) if first.is(LETTER) => text.run(start, |c| c.is(LETTER)),
        Some(first) if first.is(NUMBER) => text.run(start, |c| c.is(NUMBER)),
        Some(first) if first.is_other() => text.run(start, Char::is_other),
        _ => spaces(text, position).0,
    }
}

/// `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,DIGITS}|`
/// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
pub(crate) fn llama3(text: &Text<'_>, position: usize, c: Char, digits: usize) -> usize {
    if let Some(end) = contraction(text, position, c, true) {
        return end;
    }
    if c.is(NUMBER) {
        return numbers(text, position, digits);
    }
    if c.is(LETTER) {
        return text.run(position, |c| c.is(LETTER));
    }
    let next = position + c.len;
    if !c.is_line_end() && text.at(next).is_some_and(|c| c.is(LETTER)) {
        return text.run(next, |c| c.is(LETTER));
    }
    let (start, first) = after_space(text, position, c);
    if first.is_some_and(Char::is_other) {
        let end = text.run(start, Char::is_other);
        return text.run(end, Char::is_line_end);
    }
    let (end, last_line_end) = spaces(text, position);
    last_line_end.unwrap_or(end)
}

/// An apostrophe and what English shortens after it.
fn contraction(text: &Text<'_>, position: usize, c: Char, any_case: bool) -> Option<usize> {
    if c.code != u32::from(b'\'') {
        return None;
    }
    let letter = |i: usize| {
        let code = text.at(position + i).map_or(0, |c| c.code);
        let byte = u8::try_from(code).unwrap_or(0);
        if any_case { byte.to_ascii_lowercase() } else { byte }
    };
    match (letter(1), letter(2)) {
        (b's' | b't' | b'm' | b'd', _) => Some(position + 2),
        (b'r' | b'v', b'e') | (b'l', b'l') => Some(position + 3),
        _ => None,
    }
}

/// The first character after one optional space (U+0020 only), and where it is.
fn after_space(text: &Text<'_>, position: usize, c: Char) -> (usize, Option<Char>) {
    match c.code == u32::from(b' ') {
        true => (position + 1, text.at(position + 1)),
        false => (position, Some(c)),
    }
}

/// At most `most` digits.
fn numbers(text: &Text<'_>, position: usize, most: usize) -> usize {
    let digit = |end: usize| text.at(end).filter(|c| c.is(NUMBER));
    (0..most).fold(position, |end, _| end + digit(end).map_or(0, |c| c.len))
}

/// Where `\s+(?!\S)|\s+` ends: a run of spaces leaves its last one to the word that follows, unless it is the only
/// one. Also the end of the last line end in the run.
fn spaces(text: &Text<'_>, position: usize) -> (usize, Option<usize>) {
    let (mut end, mut last, mut line_end) = (position, position, None);
    while let Some(c) = text.at(end).filter(|c| c.is(SPACE)) {
        last = end;
        end += c.len;
        if c.is_line_end() {
            line_end = Some(end);
        }
    }
    let followed = end < text.len();
    (if followed && last > position { last } else { end }, line_end)
}
