//! JSON objects of an array, or one after the other, read one at a time: memory is bounded by the largest of them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::{Error, MOST_BYTES};

/// Where a record stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) record: u64,
    /// From 1.
    pub(crate) line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} (line {})", self.record, self.line)
    }
}

/// An object and where it stands.
pub(crate) type Placed = (Place, BTreeMap<String, Value>);

/// An object's fields; a name that occurs twice is an error, since one of the two would be lost.
pub(crate) struct Fields(pub(crate) BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.contains_key(&name) {
                        let name = crate::error::short(&name);
                        return Err(A::Error::custom(format!("field {name} occurs twice")));
                    }
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The objects of a stream, until the first error.
pub(crate) struct Values<R> {
    input: Counted<R>,
    state: State,
    record: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// In an array; whether an element stands before.
    Array(bool),
    /// Objects one after the other.
    Lines,
    Done,
}

impl<R: BufRead> Values<R> {
    pub(crate) fn new(input: R) -> Values<R> {
        Values { input: Counted::new(input), state: State::Start, record: 0 }
    }

    fn next_value(&mut self) -> Result<Option<Placed>, Error> {
        self.input.spent = 0;
        if self.state == State::Start {
            self.skip_mark()?;
            let array = self.peek()? == Some(b'[');
            self.state = if array { State::Array(false) } else { State::Lines };
            if array {
                self.input.consume(1);
            }
        }
        if let State::Array(after) = self.state
            && !self.next_of_array(after)?
        {
            return Ok(None);
        }
        if self.peek()?.is_none() {
            return match self.state {
                State::Lines => Ok(None),
                _ => Err(self.flaw("the file ends inside the array")),
            };
        }
        self.object().map(Some)
    }

    /// Steps over the comma; at the end of the array looks that nothing follows.
    fn next_of_array(&mut self, after: bool) -> Result<bool, Error> {
        match self.peek()? {
            Some(b']') => {
                self.input.consume(1);
                match self.peek()? {
                    None => Ok(false),
                    Some(byte) => Err(self
                        .flaw(format!("found {:?} after the end of the array", char::from(byte)))),
                }
            }
            Some(b',') if after => {
                self.input.consume(1);
                Ok(true)
            }
            Some(byte) if after => {
                Err(self.flaw(format!("found {:?}, expected a comma or ]", char::from(byte))))
            }
            _ => {
                self.state = State::Array(true);
                Ok(true)
            }
        }
    }

    fn object(&mut self) -> Result<Placed, Error> {
        self.record += 1;
        let place = Place { record: self.record, line: self.input.line };
        let read = Fields::deserialize(&mut serde_json::Deserializer::from_reader(&mut self.input));
        match read {
            Ok(Fields(fields)) => Ok((place, fields)),
            Err(error) => {
                let place = Place { line: self.input.line, ..place };
                let text = error.to_string();
                // serde_json counts lines from the beginning of the object.
                let flaw = text.split(" at line ").next().unwrap_or(&text);
                Err(Error::shape(place, format!("not a JSON object: {flaw}")))
            }
        }
    }

    /// A byte order mark.
    fn skip_mark(&mut self) -> Result<(), Error> {
        let line = self.input.line;
        let at = |error: io::Error| Error::shape(format!("line {line}"), error.to_string());
        if self.input.fill_buf().map_err(at)?.starts_with(b"\xef\xbb\xbf") {
            self.input.consume(3);
        }
        Ok(())
    }

    /// The next byte that is no white space, left where it is.
    fn peek(&mut self) -> Result<Option<u8>, Error> {
        loop {
            let line = self.input.line;
            let at = |error: io::Error| Error::shape(format!("line {line}"), error.to_string());
            let buffer = self.input.fill_buf().map_err(at)?;
            let Some(&byte) = buffer.first() else { return Ok(None) };
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.input.consume(1);
        }
    }

    fn flaw(&self, flaw: impl Into<String>) -> Error {
        Error::shape(Place { record: self.record, line: self.input.line }, flaw)
    }
}

impl<R: BufRead> Iterator for Values<R> {
    type Item = Result<Placed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let next = self.next_value().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Done;
        }
        next
    }
}

/// A reader that counts lines, and refuses more than [`MOST_BYTES`] until `spent` is set back.
pub(crate) struct Counted<R> {
    input: R,
    pub(crate) line: u64,
    pub(crate) spent: u64,
    most: u64,
}

impl<R> Counted<R> {
    pub(crate) fn new(input: R) -> Counted<R> {
        Counted { input, line: 1, spent: 0, most: MOST_BYTES }
    }

    fn within_budget(&self) -> io::Result<()> {
        let over =
            || io::Error::other(format!("one record is longer than {} MiB", self.most >> 20));
        if self.spent > self.most { Err(over()) } else { Ok(()) }
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.within_budget()?;
        let read = self.input.read(out)?;
        self.spent += read as u64;
        self.line += out[..read].iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.within_budget()?;
        self.input.fill_buf()
    }

    /// Only ever one byte, or none that ends a line.
    fn consume(&mut self, amount: usize) {
        if let Ok(buffer) = self.input.fill_buf() {
            let passed = &buffer[..amount.min(buffer.len())];
            self.line += passed.iter().filter(|&&byte| byte == b'\n').count() as u64;
        }
        self.spent += amount as u64;
        self.input.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<u64>, Option<String>) {
        let mut lines = Vec::new();
        for value in Values::new(text.as_bytes()) {
            match value {
                Ok((place, _)) => lines.push(place.line),
                Err(error) => return (lines, Some(error.to_string())),
            }
        }
        (lines, None)
    }

    #[test]
    fn arrays_and_lines_are_read_alike() {
        for text in [
            "[{\"a\":1},\n{\"a\":2}]",
            "{\"a\":1}\n{\"a\":2}",
            "\u{feff}[\n{\"a\":1}\n,{\"a\":2}]\n",
            "{\"a\":1}\n\n{\"a\":2}\n\n",
        ] {
            let (lines, error) = read(text);
            assert_eq!((lines.len(), error), (2, None), "{text:?}");
        }
        assert_eq!(read("[]"), (vec![], None));
        assert_eq!(read(""), (vec![], None));
        assert_eq!(read("\n\n{\"a\":1}").0, [3]);
    }

    #[test]
    fn what_is_broken_is_placed() {
        for (text, words) in [
            ("[{\"a\":1},\n{\"a\":", "record 2 (line 2): not a JSON object: EOF"),
            ("[{\"a\":1}", "ends inside the array"),
            ("[", "ends inside the array"),
            ("[{\"a\":1},", "ends inside the array"),
            ("[{\"a\":1} {\"a\":2}]", "expected a comma"),
            ("[{\"a\":1},]", "record 2"),
            ("[{\"a\":1}] x", "after the end"),
            ("[1]", "not a JSON object"),
            ("{\"a\":1,\"a\":2}", "field a occurs twice"),
            ("{\"a\":1e999}", "number out of range"),
            ("{\"a\":NaN}", "not a JSON object"),
            ("{\"a\":1}\nnull", "record 2 (line 2)"),
        ] {
            let (_, error) = read(text);
            let error = error.unwrap_or_default();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(10_000));
        assert!(read(&deep).1.unwrap().contains("recursion"));
        let invalid = Values::new(&b"{\"a\":\"\xff\"}"[..]).next().unwrap();
        assert!(invalid.is_err());
    }

    #[test]
    fn an_endless_record_is_refused_within_bounds() {
        let endless = io::BufReader::new(io::Read::chain(&b"{\"a\":[\""[..], io::repeat(b'x')));
        let mut values = Values::new(endless);
        values.input.most = 1 << 20;
        let error = values.next().unwrap().err().unwrap().to_string();
        assert!(error.contains("longer than 1 MiB"), "{error}");
    }
}
