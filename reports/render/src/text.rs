//! Making text from records harmless: control characters, direction overrides, and length.

use std::borrow::Cow;

/// What a removed character leaves behind, so that tampering shows.
const REMOVED: char = '\u{FFFD}';

/// Text for people: characters that steer a terminal or hide or reorder what is read become `�`, line breaks and tabs a space.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let harmless = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if steers(c) => REMOVED,
        c => c,
    };
    Cow::Owned(text.chars().map(harmless).collect())
}

/// Control characters (C0, DEL, C1), line and paragraph separators, direction marks and overrides, and characters that take no room.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}'
                | '\u{61C}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E007F}'
        )
}

/// Harmless text of at most `most` characters: the middle gives way, since names differ at their ends.
pub fn elide(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return clean(text).into_owned();
    }
    let tail = most / 3;
    let head = most.saturating_sub(tail + 1);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{}…{}", clean(&start), clean(&end))
}

/// A number raised: `¹²`.
pub(crate) fn superscript(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_survives() {
        let hostile = "a\x1b]8;;http://x\x07b\u{202E}c\u{2028}d\u{9b}31me\tf\ng\u{200B}";
        let cleaned = clean(hostile);
        assert!(!cleaned.chars().any(steers));
        assert_eq!(
            cleaned,
            "a\u{FFFD}]8;;http://x\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}31me f g\u{FFFD}"
        );
    }

    #[test]
    fn long_text_keeps_both_ends() {
        let long = format!("head{}tail", "x".repeat(10_000));
        let short = elide(&long, 20);
        assert_eq!(short.chars().count(), 20);
        assert!(short.starts_with("head") && short.ends_with("tail"), "{short}");
        assert_eq!(elide("short", 20), "short");
    }

    #[test]
    fn numbers_are_raised() {
        assert_eq!(superscript(120), "¹²⁰");
    }
}
