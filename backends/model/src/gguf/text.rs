//! Text of untrusted files made safe to print: control and direction characters become escapes.

use std::fmt::Write;

/// Longest text an error message repeats, in characters.
const QUOTED: usize = 80;

/// The text with every character that could move the cursor, hide or reorder text written as
/// `\u{..}`. Markup is kept: escaping `<` is the business of whoever writes HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    if c.is_control() || reorders_or_hides(c) {
        write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail");
    } else {
        out.push(c);
    }
}

/// Unicode's line separators, direction marks, overrides and isolates, zero-width characters and tags.
fn reorders_or_hides(c: char) -> bool {
    matches!(u32::from(c),
        0x00ad | 0x061c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
        | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
}

/// Escaped, shortened and in quotes, for a message.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = text.chars();
    chars.by_ref().take(QUOTED).for_each(|c| push_escaped(&mut out, c));
    out.push_str(if chars.next().is_some() { "\"..." } else { "\"" });
    out
}

/// [`quote`] for bytes that should have been text.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let end = bytes.len().min(4 * QUOTED);
    quote(&String::from_utf8_lossy(&bytes[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_mislead_a_terminal_and_keeps_the_rest() {
        assert_eq!(escape("a\u{1b}[31m\n\u{202e}b"), "a\\u{1b}[31m\\u{a}\\u{202e}b");
        assert_eq!(escape("<script> Ġ é 漢 🙂"), "<script> Ġ é 漢 🙂");
    }

    #[test]
    fn quotes_are_short() {
        assert_eq!(quote(&"x".repeat(1000)).len(), QUOTED + 5);
        assert_eq!(quote_bytes(b"\xff"), "\"\u{fffd}\"");
    }
}
