//! Unicode's general categories, as far as pre-tokenizers ask for them, and UTF-8 text read character by character.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// `\p{L}`.
pub(crate) const LETTER: u8 = 1;
/// `\p{N}`.
pub(crate) const NUMBER: u8 = 2;
/// `\p{P}`.
pub(crate) const PUNCTUATION: u8 = 4;
/// `\s`: Unicode's White_Space.
pub(crate) const SPACE: u8 = 8;

/// Flags of every code point, as of the version of Unicode that llama.cpp's tables have: what came later is no letter yet.
/// 1.1 MB of which a text touches a few pages.
static TABLE: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let mut table = vec![0; 0x11_0000].into_boxed_slice();
    let classes = [
        (r"[\p{L}&&\p{Age=15.1}]", LETTER),
        (r"[\p{N}&&\p{Age=15.1}]", NUMBER),
        (r"[\p{P}&&\p{Age=15.1}]", PUNCTUATION),
        (r"\p{White_Space}", SPACE),
    ];
    for (pattern, flag) in classes {
        let hir =
            regex_syntax::parse(pattern).expect("the tables of these classes are compiled in");
        let HirKind::Class(Class::Unicode(class)) = hir.kind() else {
            unreachable!("a Unicode class parses to a Unicode class")
        };
        for range in class.ranges() {
            let codes = range.start() as usize..=range.end() as usize;
            table[codes].iter_mut().for_each(|flags| *flags |= flag);
        }
    }
    table
});

/// One character of a text, or one byte that belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Char {
    /// Code point; U+FFFD for a byte that is not UTF-8.
    pub(crate) code: u32,
    /// Bytes in the text.
    pub(crate) len: usize,
    /// Its classes.
    pub(crate) flags: u8,
}

impl Char {
    /// Whether it is of one of the classes.
    pub(crate) fn is(self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Neither letter nor number nor space: symbols, marks, controls, what is unassigned or no UTF-8.
    pub(crate) fn is_other(self) -> bool {
        !self.is(LETTER | NUMBER | SPACE)
    }

    /// A line feed or carriage return.
    pub(crate) fn is_line_end(self) -> bool {
        self.code == 0x0a || self.code == 0x0d
    }
}

/// A stretch of text between two places where words are cut anyway.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    bytes: &'a [u8],
    table: &'a [u8],
}

impl<'a> Text<'a> {
    /// A text; what is not UTF-8 is read byte by byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Text<'a> {
        Text { bytes, table: &TABLE }
    }

    /// Bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A part as a text of its own.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Text<'a> {
        Text { bytes: &self.bytes[range], table: self.table }
    }

    /// The character that begins at a byte; `None` at the end.
    #[inline]
    pub(crate) fn at(&self, position: usize) -> Option<Char> {
        let rest = self.bytes.get(position..)?;
        let &first = rest.first()?;
        let (code, len) = match first {
            0..=0x7f => (u32::from(first), 1),
            _ => decode(rest).unwrap_or((0xfffd, 1)),
        };
        Some(Char { code, len, flags: self.table[code as usize] })
    }

    /// Where a run of characters that begins at `position` ends.
    #[inline]
    pub(crate) fn run(&self, mut position: usize, member: impl Fn(Char) -> bool) -> usize {
        while let Some(c) = self.at(position).filter(|&c| member(c)) {
            position += c.len;
        }
        position
    }
}

/// A character of two to four bytes and its length; `None` for what UTF-8 forbids.
fn decode(rest: &[u8]) -> Option<(u32, usize)> {
    let part = |i: usize| rest.get(i).filter(|&&b| b & 0xc0 == 0x80).map(|&b| u32::from(b & 0x3f));
    let first = u32::from(rest[0]);
    let (code, len, least) = match rest[0] {
        0xc2..=0xdf => ((first & 0x1f) << 6 | part(1)?, 2, 0x80),
        0xe0..=0xef => ((first & 0x0f) << 12 | part(1)? << 6 | part(2)?, 3, 0x800),
        0xf0..=0xf4 => {
            ((first & 0x07) << 18 | part(1)? << 12 | part(2)? << 6 | part(3)?, 4, 0x1_0000)
        }
        _ => return None,
    };
    (code >= least && char::from_u32(code).is_some()).then_some((code, len))
}

/// Bytes of the character at the start of a text, 1 for a byte that is not UTF-8, and whether it is one.
pub(crate) fn first(rest: &[u8]) -> (usize, bool) {
    match rest {
        [] => (0, false),
        [0..=0x7f, ..] => (1, true),
        _ => decode(rest).map_or((1, false), |(_, len)| (len, true)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_have_the_classes_unicode_gives_them() {
        let cases = [
            ("a", LETTER),
            ("é", LETTER),
            ("漢", LETTER),
            ("ª", LETTER),
            ("7", NUMBER),
            ("½", NUMBER),
            ("٣", NUMBER),
            ("Ⅷ", NUMBER),
            ("!", PUNCTUATION),
            ("_", PUNCTUATION),
            ("«", PUNCTUATION),
            ("$", 0),
            ("`", 0),
            (" ", SPACE),
            ("\u{85}", SPACE),
            ("\u{a0}", SPACE),
            ("\u{3000}", SPACE),
            ("\u{200b}", 0),
            ("\u{301}", 0),
            ("🙂", 0),
            ("\u{1c}", 0),
            ("\0", 0),
            ("\u{e000}", 0),
        ];
        for (text, flags) in cases {
            let c = Text::new(text.as_bytes()).at(0).unwrap();
            assert_eq!((c.flags, c.len), (flags, text.len()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_the_standard_library_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let text = Text::new(&bytes);
            let mut position = 0;
            let mut read = Vec::new();
            while let Some(c) = text.at(position) {
                let valid = std::str::from_utf8(&bytes[position..position + c.len]).is_ok();
                prop_assert_eq!(first(&bytes[position..]), (c.len, valid));
                read.push((c.len, valid));
                position += c.len;
            }
            let mut expected = Vec::new();
            for chunk in bytes.utf8_chunks() {
                expected.extend(chunk.valid().chars().map(|c| (c.len_utf8(), true)));
                expected.extend(chunk.invalid().iter().map(|_| (1, false)));
            }
            prop_assert_eq!(read, expected);
        }
    }
}
