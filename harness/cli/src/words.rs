//! Words of a command line: split as a POSIX shell splits them, and quoted for one. No shell is ever started.

/// The words; single quotes keep everything, double quotes keep blanks, `\` keeps the next character. `None` for an open quote.
/// Nothing is expanded.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut begun) = (Vec::new(), String::new(), false);
    let mut open: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (Some('\''), c) => word.push(c),
            (None, '\'' | '"') => (open, begun) = (Some(c), true),
            (_, '\\') => {
                word.push(chars.next()?);
                begun = true;
            }
            (None, c) if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (_, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    open.is_none().then_some(words)
}

/// For a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let words = split(r#"run --model 'a b' 'it'\''s' ''  x "c d" e\ f"#).unwrap();
        assert_eq!(words, ["run", "--model", "a b", "it's", "", "x", "c d", "e f"]);
        for open in ["a 'b", "a \"b", "a \\"] {
            assert_eq!(split(open), None, "{open}");
        }
    }

    #[test]
    fn quoted_words_survive_a_shell() {
        for (word, expected) in [
            ("smollm-135m:Q4_0", "smollm-135m:Q4_0"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
    }
}
