//! The older binary form of importance matrices, `imatrix.dat`: read, never written.
//!
//! Little-endian: `i32` entries; per entry `i32` length and bytes of the tensor's name, `i32` calls, `i32` number
//! of values, that many `f32`, each a mean of squares times the calls. What follows (the chunks, the text's name)
//! was added later, may be absent and is not needed.

use std::collections::BTreeMap;

/// Values by tensor; the error is a problem without the file's name.
pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Vec<f32>>, String> {
    let mut rest = Rest { bytes, at: 0 };
    let count = rest.number("the number of entries")?;
    let mut tensors = BTreeMap::new();
    for entry in 1..=count {
        let length = rest.number(&format!("the length of name {entry}"))?;
        let name = rest.take(length, &format!("name {entry}"))?;
        let name = std::str::from_utf8(name).map_err(|_| not_one(&format!("name {entry}")))?;
        rest.number(&format!("the calls of {name}"))?;
        let values = rest.number(&format!("the number of values of {name}"))?;
        let bytes = rest.take(values.saturating_mul(4), &format!("the values of {name}"))?;
        let values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        tensors.insert(name.to_owned(), values);
    }
    Ok(tensors)
}

/// What was not read yet.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            let (found, left) = (length, self.bytes.len() - self.at);
            let what = format!("{what} at byte {}: {found} bytes, {left} are left", self.at);
            return Err(not_one(&what));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// An `i32` that counts something.
    fn number(&mut self, what: &str) -> Result<usize, String> {
        let at = self.at;
        let bytes = self.take(4, what)?.try_into().map_err(|_| not_one(what))?;
        let number = i32::from_le_bytes(bytes);
        usize::try_from(number).map_err(|_| not_one(&format!("{what} at byte {at} is {number}")))
    }
}

fn not_one(what: &str) -> String {
    format!(
        "neither a GGUF file nor a whole imatrix.dat ({what}); write one with model imatrix or llama.cpp's imatrix"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[(&str, i32, &[f32])]) -> Vec<u8> {
        let mut bytes = (entries.len() as i32).to_le_bytes().to_vec();
        for (name, calls, values) in entries {
            bytes.extend((name.len() as i32).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(calls.to_le_bytes());
            bytes.extend((values.len() as i32).to_le_bytes());
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        }
        bytes
    }

    #[test]
    fn entries_are_read_with_and_without_what_was_added_later() {
        let mut bytes = file(&[("a.weight", 3, &[1.0, 2.0]), ("b.weight", 3, &[0.5])]);
        let plain = entries(&bytes).unwrap();
        assert_eq!(plain["a.weight"], [1.0, 2.0]);
        assert_eq!(plain["b.weight"], [0.5]);
        bytes.extend(3_i32.to_le_bytes());
        bytes.extend(4_i32.to_le_bytes());
        bytes.extend(b"text");
        assert_eq!(entries(&bytes).unwrap(), plain);
    }

    #[test]
    fn every_truncation_and_negative_or_immense_counts_are_errors() {
        let bytes = file(&[("a.weight", 3, &[1.0, 2.0])]);
        for length in 0..bytes.len() {
            let error = entries(&bytes[..length]).unwrap_err();
            assert!(error.contains("imatrix.dat"), "{length}: {error}");
        }
        for at in [0, 4, 4 + 4 + 8, 4 + 4 + 8 + 4] {
            for number in [-1_i32, i32::MAX] {
                let mut bytes = bytes.clone();
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                // The calls divide out, so that only a negative number of them is wrong.
                let calls = at == 16 && number > 0;
                assert_eq!(entries(&bytes).is_ok(), calls, "{number} at {at}");
            }
        }
        assert!(entries(b"a text of some length").is_err());
    }
}
