//! Which format a file is in, told by its first bytes and never by its name.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Error;
use crate::error::short;

/// Bytes of a file's beginning that are enough for [`detect`].
pub const HEAD_BYTES: usize = 64 << 10;

/// A format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Records of ours, one a line.
    Yardstick,
    /// Records of ours that were shared: a manifest, then a record a line.
    Bundle,
    /// llama-bench's `-o json` or `-o jsonl`.
    LlamaBench,
    /// llama-bench's `-o csv`.
    LlamaBenchCsv,
    /// optimum-benchmark's `benchmark.json` or `benchmark_report.json`.
    OptimumBenchmark,
    /// A file of criterion's folder of results, which is read as a whole.
    Criterion,
}

/// Keys that tell a JSON format; all of a line must be there.
const KEYS: &[(&[&str], Format)] = &[
    (&["yardstick_bundle"], Format::Bundle),
    (&["schema", "cell"], Format::Yardstick),
    (&["n_prompt", "n_gen"], Format::LlamaBench),
    (&["config", "report"], Format::OptimumBenchmark),
    (&["prefill"], Format::OptimumBenchmark),
    (&["decode"], Format::OptimumBenchmark),
    (&["generate"], Format::OptimumBenchmark),
    (&["forward"], Format::OptimumBenchmark),
    (&["call"], Format::OptimumBenchmark),
    (&["load_model"], Format::OptimumBenchmark),
    (&["group_id", "directory_name"], Format::Criterion),
    (&["sampling_mode", "iters"], Format::Criterion),
    (&["mean", "median_abs_dev"], Format::Criterion),
];

/// The format of a file that begins so; at least [`HEAD_BYTES`] of it, or all.
pub fn detect(head: &[u8]) -> Result<Format, Error> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = String::from_utf8_lossy(head);
    let unknown = |found: &str| Error::Unknown { found: found.to_owned() };
    match text.trim_start().chars().next() {
        None => Err(unknown("an empty file")),
        Some('{' | '[') => {
            let keys = first_keys(head);
            let has = |key: &&str| keys.iter().any(|found| found == key);
            match KEYS.iter().find(|(all, _)| all.iter().all(has)) {
                Some((_, format)) => Ok(*format),
                None if keys.is_empty() => Err(unknown("JSON without an object")),
                None => Err(unknown(&format!("JSON with the keys {}", short(&keys.join(", "))))),
            }
        }
        Some(_) => {
            let first = text.lines().next().unwrap_or_default();
            let names: Vec<&str> = first.split(',').map(|n| n.trim().trim_matches('"')).collect();
            match names.contains(&"n_prompt") && names.contains(&"n_gen") {
                true => Ok(Format::LlamaBenchCsv),
                false => Err(unknown(&format!("text that begins with {:?}", short(first)))),
            }
        }
    }
}

/// The keys of the first object, as far as the bytes go.
fn first_keys(head: &[u8]) -> Vec<String> {
    let mut keys = Vec::new();
    // The head ends anywhere: what was read until then is enough.
    let _ = Keys(&mut keys).deserialize(&mut serde_json::Deserializer::from_slice(head));
    keys
}

/// Collects the keys of an object, or of the first object of an array.
struct Keys<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            self.0.push(key);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        sequence.next_element_seed(self).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let cut = format!("[{{\"n_gen\": 0, \"n_prompt\": 5, \"x\": \"{}", "y".repeat(99));
        for (head, format) in [
            ("{\"yardstick_bundle\":1,\"records\":", Format::Bundle),
            ("{\"schema\":2,\"id\":\"\",\"cell\":{", Format::Yardstick),
            (cut.as_str(), Format::LlamaBench),
            ("\u{feff} [ {\"n_prompt\":1,\"n_gen\":2}]", Format::LlamaBench),
            ("build_commit,n_prompt,n_gen,avg_ts\n", Format::LlamaBenchCsv),
            ("{\"config\":{},\"report\":{}}", Format::OptimumBenchmark),
            ("{\"load_model\":null,\"decode\":{}}", Format::OptimumBenchmark),
            ("{\"sampling_mode\":\"Flat\",\"iters\":[1]}", Format::Criterion),
        ] {
            assert_eq!(detect(head.as_bytes()).unwrap(), format, "{head}");
        }
    }

    #[test]
    fn what_is_no_format_is_said() {
        for (head, found) in [
            ("", "empty"),
            ("  \n", "empty"),
            ("[1,2]", "without an object"),
            ("{\"a\":1}", "keys a"),
            ("\u{7f}ELF", "begins with"),
            ("a,b\n1,2\n", "a,b"),
        ] {
            let error = detect(head.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(found) && error.contains("expected"), "{head:?}: {error}");
        }
        assert!(detect(&[0xff, 0xfe, 0]).is_err());
    }
}
