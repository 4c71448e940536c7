//! What `tune` may vary: the `[search]` table of a file of needs.

use serde::Deserialize;
use toml::Spanned;
use yardstick_api::{KvType, Numerics};

use crate::suite::place::{Names, Place, list, number};
use crate::suite::wire::Count;
use crate::suite::{Error, ValueError, parse_automatic, parse_counts, parse_kv, parse_numerics};

/// Lists of what may vary. An empty list leaves that setting to the verb.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// Formats and mixes a preset or a float file is tried in.
    pub quantisations: Vec<String>,
    /// Threads; `None`: the backend's choice.
    pub threads: Vec<Option<usize>>,
    /// Keys and values.
    pub kv: Vec<KvType>,
    /// Numerics classes; `None`: the device's default.
    pub numerics: Vec<Option<Numerics>>,
    /// Sequences generated together.
    pub sequences: Vec<usize>,
    /// Shares of the layers that are taken out.
    pub prune: Vec<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    quantisations: Option<Spanned<Names>>,
    threads: Option<Spanned<Vec<Spanned<Count>>>>,
    kv: Option<Spanned<Names>>,
    numerics: Option<Spanned<Names>>,
    sequences: Option<Spanned<Vec<Spanned<Count>>>>,
    prune: Option<Spanned<Vec<Spanned<f64>>>>,
}

pub(super) fn search(at: &Place<'_>, wire: Wire) -> Result<Search, Error> {
    fn every<T>(list: Option<Result<Vec<T>, Error>>) -> Result<Vec<T>, Error> {
        list.unwrap_or_else(|| Ok(Vec::new()))
    }
    let one = |text: &str| match text.trim() {
        "" => Err(ValueError::new(text, "a format or mix, as Q4_K_M")),
        text => Ok(vec![text.to_owned()]),
    };
    let word: fn(&String) -> &str = String::as_str;
    Ok(Search {
        quantisations: every(wire.quantisations.map(|l| list(at, l, one, word)))?,
        threads: every(wire.threads.map(|l| list(at, l, parse_automatic, Count::text)))?,
        kv: every(wire.kv.map(|l| list(at, l, parse_kv, word)))?,
        numerics: every(wire.numerics.map(|l| list(at, l, parse_numerics, word)))?,
        sequences: every(wire.sequences.map(|l| list(at, l, parse_counts, Count::text)))?,
        prune: every(wire.prune.map(|shares| {
            let checked =
                shares.into_inner().into_iter().map(|share| number(at, Some(share), 0.01, 0.9));
            checked.filter_map(Result::transpose).collect()
        }))?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse_profile;

    fn parsed(lines: &str) -> Result<super::Search, crate::suite::Error> {
        Ok(parse_profile("p.toml", &format!("name = \"p\"\n[search]\n{lines}\n"))?.1)
    }

    #[test]
    fn lists_are_read_as_a_suite_reads_them_and_errors_have_their_place() {
        let search =
            parsed("threads = [\"1-4*2\", \"auto\"]\nkv = [\"f16\", \"q8_0\"]\nprune = [0.25]")
                .unwrap();
        assert_eq!(search.threads, [Some(1), Some(2), Some(4), None]);
        assert_eq!((search.kv.len(), search.prune, search.sequences.len()), (2, vec![0.25], 0));
        for (lines, words) in [
            ("threads = [0]", "p.toml:3:12"),
            ("kv = [\"f17\"]", "found \"f17\""),
            (
                "prune = [1.5]",
                "key `search.prune`: found \"1.5\", expected a number from 0.01 to 0.9",
            ),
            ("treads = [1]", "unknown field `treads`"),
            ("sequences = []", "1 to 1000 values"),
        ] {
            let message = parsed(lines).unwrap_err().to_string();
            assert!(message.contains(words), "{lines}\n{message}");
        }
    }
}
