//! The query of an address: named values, decoded once, each read by its type or refused.

use super::response::Refusal;

/// Names and values, each name once.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Of `a=1&b=two+words`.
    pub(super) fn parse(text: &str) -> Result<Query, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::bad("the address names a value twice"));
            }
            pairs.push((name, value));
        }
        Ok(Query { pairs })
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Refuses names that the page does not know.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        match self.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(Refusal::bad(format!(
                "the address has a value {name:?}, expected of: {}",
                known.join(", ")
            ))),
            None => Ok(()),
        }
    }

    /// A value; one that is empty, as forms send what was not filled in, is none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value that must be there.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::bad(format!("the address lacks {name}=…")))
    }

    /// A number from 0.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Some).ok_or_else(|| Refusal::bad(format!("{name} is no number from 0")))
    }

    /// A count from 1 to `most`, which is what it is when nothing is said.
    pub(crate) fn count(&self, name: &str, most: usize) -> Result<usize, Refusal> {
        let Some(number) = self.number(name)? else { return Ok(most) };
        let count = usize::try_from(number).ok().filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| Refusal::bad(format!("{name} is not from 1 to {most}")))
    }
}

/// Percent escapes and `+`, once; NUL and what is not UTF-8 are refused.
fn decoded(text: &str) -> Result<String, Refusal> {
    let refused = || Refusal::bad("the address has an escape that is none");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).map(|(high, low)| (high << 4 | low) as u8);
                value.filter(|value| *value != 0).ok_or_else(refused)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| refused())
}

/// A value as part of an address.
pub(crate) fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let query = Query::parse("a=1&b=two+words%21&c=%252e&d=&e").unwrap();
        assert_eq!(query.text("b"), Some("two words!"));
        assert_eq!(query.text("c"), Some("%2e"));
        assert_eq!((query.text("d"), query.text("e"), query.text("f")), (None, None, None));
        assert_eq!(query.number("a").unwrap(), Some(1));
        assert!(query.number("b").is_err() && query.count("a", 0).is_err());
        assert!(query.only(&["a", "b", "c", "d"]).is_err());
    }

    #[test]
    fn what_is_read_in_two_ways_is_refused() {
        for bad in ["a=%", "a=%0", "a=%zz", "a=%00", "a=%ff", "a=1&a=2", "a=%+1"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
        for number in ["n=-1", "n=%2B1", "n=1e3", "n=99999999999999999999"] {
            assert!(Query::parse(number).unwrap().number("n").is_err(), "{number}");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["run 1", "<img src=x>", "a%2e&b=c", "ü\u{202E}"] {
            let query = Query::parse(&format!("x={}", encoded(text))).unwrap();
            assert_eq!(query.text("x"), Some(text));
        }
    }
}
