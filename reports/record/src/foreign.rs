//! Foreign tests: what another program measured and we have no test for, by that program's own name.

use std::fmt;

/// Bytes a foreign test's name may have, its format included; longer ones end in a hash of the whole.
const MOST_BYTES: usize = 96;
/// Bytes of a format's name.
const MOST_FORMAT_BYTES: usize = 32;

/// A foreign test's name, `format:name`: `llama-bench:pp512+tg128`, `criterion:q4_0/dot/4096`. The colon tells it from every
/// test of ours. Held in place, so that a test stays as easy to copy as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForeignTest {
    /// UTF-8, zeros after its end.
    bytes: [u8; MOST_BYTES],
    length: u8,
}

impl ForeignTest {
    /// A name from a foreign file. Control characters become `�`; one that is too long keeps its beginning and ends in `~` and
    /// a hash of the whole, so that different names stay different. `None` where the format is no word or the name is empty.
    pub fn new(format: &str, name: &str) -> Option<ForeignTest> {
        let name: String =
            name.trim().chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
        let whole = format!("{format}:{name}");
        if whole.len() <= MOST_BYTES {
            return ForeignTest::parse(&whole);
        }
        let tail = format!("~{:016x}", fnv1a(whole.as_bytes()));
        let head = whole.floor_char_boundary(MOST_BYTES - tail.len());
        ForeignTest::parse(&format!("{}{tail}", &whole[..head]))
    }

    /// A name as [`ForeignTest::new`] makes them.
    pub(crate) fn parse(text: &str) -> Option<ForeignTest> {
        let (format, name) = text.split_once(':')?;
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=MOST_FORMAT_BYTES).contains(&format.len()) && format.bytes().all(word);
        if !good || name.trim().is_empty() || name.chars().any(char::is_control) {
            return None;
        }
        let mut bytes = [0; MOST_BYTES];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(ForeignTest { bytes, length: u8::try_from(text.len()).ok()? })
    }

    /// `format:name`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)])
            .expect("made from a str that ends at a character")
    }
}

impl fmt::Display for ForeignTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ForeignTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// FNV-1a, 64 bits: tells long names apart, no more.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_what_steers_a_terminal_is_not() {
        for (name, kept) in [
            ("pp512+tg128", "llama-bench:pp512+tg128"),
            (" a b ", "llama-bench:a b"),
            ("ä\x1b[31m", "llama-bench:ä\u{FFFD}[31m"),
            ("a:b", "llama-bench:a:b"),
        ] {
            assert_eq!(ForeignTest::new("llama-bench", name).unwrap().as_str(), kept);
        }
        for (format, name) in [("", "x"), ("Criterion", "x"), ("a b", "x"), ("a", ""), ("a", " ")] {
            assert_eq!(ForeignTest::new(format, name), None, "{format:?} {name:?}");
        }
        assert_eq!(ForeignTest::new(&"x".repeat(33), "y"), None);
    }

    #[test]
    fn long_names_stay_different_and_whole_characters() {
        let names: Vec<ForeignTest> = ["a", "b"]
            .map(|end| ForeignTest::new("criterion", &format!("{}{end}", "ü".repeat(500))).unwrap())
            .into();
        assert_ne!(names[0], names[1]);
        for name in names {
            assert!(name.as_str().len() <= MOST_BYTES && name.as_str().contains("üü"));
            assert_eq!(ForeignTest::parse(name.as_str()), Some(name));
        }
    }
}
