//! The alphabet of byte-level vocabularies: each of the 256 bytes written as one printable character.
//!
//! Printable ASCII and most of Latin-1 stand for themselves; the other 68 bytes, in order, are U+0100 and up, so a space
//! is written `Ġ` and a newline `Ċ`. <https://github.com/openai/gpt-2>, `bytes_to_unicode`.

/// The byte a character stands for.
pub(super) fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The bytes a token's text stands for; `None` when a character is not of the alphabet.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    text.chars().map(byte_of).collect()
}

/// The character of a byte.
#[cfg(test)]
pub(super) fn char_of(byte: u8) -> char {
    (0..=0x143)
        .filter_map(char::from_u32)
        .find(|&c| byte_of(c) == Some(byte))
        .expect("every byte has a character")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_exactly_one_character() {
        let mut seen = [0; 256];
        (0..0x1000)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .for_each(|b| seen[usize::from(b)] += 1);
        assert_eq!(seen, [1; 256]);
    }

    #[test]
    fn spaces_and_controls_are_written_as_gpt2_writes_them() {
        let cases = [
            (b' ', 'Ġ'),
            (b'\n', 'Ċ'),
            (0, 'Ā'),
            (b'a', 'a'),
            (0x7f, 'ġ'),
            (0xa0, 'ł'),
            (0xad, 'Ń'),
            (0xff, 'ÿ'),
        ];
        for (byte, c) in cases {
            assert_eq!(char_of(byte), c);
        }
        assert_eq!(decode("Ġhi"), Some(b" hi".to_vec()));
        assert_eq!(decode("a b"), None);
    }
}
