//! Lists as they are written in suites and on the command line: `1,2,4-16*2`, `f16,f32`, `pp512,tg128@d0,2048`.

use std::fmt;

use yardstick_api::{KvType, Numerics, WeightScheme};
use yardstick_record::{ParseTestError, Test};

/// Values in one list; more is a typing error, not a plan.
const MAX_VALUES: usize = 1000;
/// Largest count: more positions, threads or sequences than anything holds.
const MAX_COUNT: usize = 1 << 24;

/// A value that cannot be used, and what could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// What was written.
    pub found: String,
    /// What may be written.
    pub expected: String,
}

impl ValueError {
    pub(crate) fn new(found: &str, expected: impl Into<String>) -> ValueError {
        ValueError { found: found.chars().take(64).collect(), expected: expected.into() }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {:?}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for ValueError {}

impl From<ParseTestError> for ValueError {
    fn from(error: ParseTestError) -> ValueError {
        let expected = "load, ppN, tgN or ttft[N], each but load with @dN for a context depth, ppl[N], kld[N], choice, generation, divergence[N] or prompts, or chat, serve, capacity, together[N], cold or robust";
        ValueError::new(&error.found, expected)
    }
}

/// Tests separated by commas. Bare numbers after a depth are further depths of the same test:
/// `tg128@d0,2048` is `tg128` and `tg128@d2048`.
pub fn parse_tests(text: &str) -> Result<Vec<Test>, ValueError> {
    let mut tests: Vec<Test> = Vec::new();
    let mut deep = false;
    for item in items(text) {
        let depths = item.strip_prefix('d').unwrap_or(item);
        match tests.last().copied() {
            Some(last) if deep && depths.starts_with(|c: char| c.is_ascii_digit()) => {
                for depth in parse_range(depths, 0)? {
                    tests.push(last.at_depth(depth));
                }
            }
            _ => {
                let (name, depths) = item.split_once("@d").unwrap_or((item, ""));
                deep = item.contains("@d");
                let test: Test = name.parse()?;
                if !deep {
                    tests.push(test);
                } else if !test.has_depth() {
                    let expected = format!("{name} without a depth: it has none");
                    return Err(ValueError::new(item, expected));
                } else {
                    tests.extend(parse_range(depths, 0)?.into_iter().map(|d| test.at_depth(d)));
                }
            }
        }
        check_length(tests.len(), item)?;
    }
    not_empty(tests, text, "a test, for example pp512")
}

/// Counts separated by commas, with llama-bench's ranges `first-last`, `first-last+step` and `first-last*mult`.
pub fn parse_counts(text: &str) -> Result<Vec<usize>, ValueError> {
    let mut counts = Vec::new();
    for item in items(text) {
        counts.extend(parse_range(item, 1)?);
        check_length(counts.len(), item)?;
    }
    not_empty(counts, text, COUNT)
}

/// Like [`parse_counts`], where `auto` (`None`) leaves the choice to the backend.
pub fn parse_automatic(text: &str) -> Result<Vec<Option<usize>>, ValueError> {
    let mut counts = Vec::new();
    for item in items(text) {
        match item {
            "auto" => counts.push(None),
            _ => counts.extend(parse_range(item, 1)?.into_iter().map(Some)),
        }
        check_length(counts.len(), item)?;
    }
    not_empty(counts, text, COUNT)
}

/// KV storage types separated by commas.
pub fn parse_kv(text: &str) -> Result<Vec<KvType>, ValueError> {
    let table = KvType::ALL.map(|kind| (kind.name(), kind));
    let kinds = items(text).map(|item| lookup(&table, item)).collect::<Result<_, _>>()?;
    not_empty(kinds, text, "f32, f16 or q8_0")
}

/// Numerics classes separated by commas; `auto` (`None`) is the device's default.
pub fn parse_numerics(text: &str) -> Result<Vec<Option<Numerics>>, ValueError> {
    let table = [
        ("auto", None),
        ("f32", Some(Numerics::F32)),
        ("f16", Some(Numerics::F16)),
        ("bf16", Some(Numerics::Bf16)),
        ("a8", Some(Numerics::A8)),
        ("requantised", Some(Numerics::Requantised)),
    ];
    let classes = items(text).map(|item| lookup(&table, item)).collect::<Result<_, _>>()?;
    not_empty(classes, text, "auto, f32, f16, bf16, a8 or requantised")
}

/// Schemes of weights rounded anew, separated by commas; `file` (`None`) is the file's own.
pub fn parse_weights(text: &str) -> Result<Vec<Option<WeightScheme>>, ValueError> {
    let table: Vec<(&str, Option<WeightScheme>)> = std::iter::once(("file", None))
        .chain(WeightScheme::ALL.map(|scheme| (scheme.name(), Some(scheme))))
        .collect();
    let schemes = items(text).map(|item| lookup(&table, item)).collect::<Result<_, _>>()?;
    not_empty(schemes, text, "file, int8-channel, w8a16, int4-g128 or int4-channel")
}

/// `true` and `false` (also `1`, `0`, `on`, `off`) separated by commas.
pub fn parse_switches(text: &str) -> Result<Vec<bool>, ValueError> {
    let table =
        [("true", true), ("false", false), ("1", true), ("0", false), ("on", true), ("off", false)];
    let switches = items(text).map(|item| lookup(&table, item)).collect::<Result<_, _>>()?;
    not_empty(switches, text, "true or false")
}

/// Names separated by commas.
pub fn parse_names(text: &str) -> Vec<String> {
    items(text).map(str::to_owned).collect()
}

const COUNT: &str = "a whole number from 1 to 16777216, or a range first-last, first-last+step or first-last*mult of at most 1000 values";

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn lookup<T: Copy>(table: &[(&str, T)], item: &str) -> Result<T, ValueError> {
    let names = || table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let entry = table.iter().find(|(name, _)| *name == item);
    entry.map(|(_, value)| *value).ok_or_else(|| ValueError::new(item, names()))
}

fn not_empty<T>(values: Vec<T>, text: &str, expected: &str) -> Result<Vec<T>, ValueError> {
    if values.is_empty() { Err(ValueError::new(text, expected)) } else { Ok(values) }
}

fn check_length(length: usize, item: &str) -> Result<(), ValueError> {
    if length > MAX_VALUES {
        return Err(ValueError::new(item, format!("at most {MAX_VALUES} values in a list")));
    }
    Ok(())
}

fn parse_range(item: &str, least: usize) -> Result<Vec<usize>, ValueError> {
    range(item, least).ok_or_else(|| ValueError::new(item, COUNT))
}

fn range(item: &str, least: usize) -> Option<Vec<usize>> {
    let Some((first, rest)) = item.split_once('-') else {
        return Some(vec![count(item, least)?]);
    };
    let (last, step, multiply) = match (rest.split_once('+'), rest.split_once('*')) {
        (Some((last, step)), _) => (last, count(step, 1)?, false),
        (None, Some((last, factor))) => (last, count(factor, 2)?, true),
        (None, None) => (rest, 1, false),
    };
    let (mut value, last) = (count(first, least)?, count(last, least)?);
    if value > last || (multiply && value == 0) {
        return None;
    }
    let mut values = Vec::new();
    while value <= last {
        if values.len() == MAX_VALUES {
            return None;
        }
        values.push(value);
        value = if multiply { value.saturating_mul(step) } else { value + step };
    }
    Some(values)
}

fn count(digits: &str, least: usize) -> Option<usize> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|n| (least..=MAX_COUNT).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_llama_benchs() {
        for (text, values) in [
            ("4", vec![4]),
            ("1,2, 8", vec![1, 2, 8]),
            ("1-4", vec![1, 2, 3, 4]),
            ("1-8*2", vec![1, 2, 4, 8]),
            ("10-30+10,64", vec![10, 20, 30, 64]),
            ("2-9*3", vec![2, 6]),
        ] {
            assert_eq!(parse_counts(text), Ok(values), "{text}");
        }
    }

    #[test]
    fn rejects_what_is_not_a_count() {
        let bad =
            ["", ",", "0", "-1", "1-", "-", "4-2", "1-4*1", "1-4+0", "1-4*0", "x", "1.5", "²"];
        for text in bad.into_iter().chain(["1-16777216", "99999999999999999999999"]) {
            assert!(parse_counts(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn depths_sweep_the_test_before_them() {
        let names = |text| -> Vec<String> {
            parse_tests(text).unwrap().iter().map(Test::to_string).collect()
        };
        assert_eq!(names("pp512,tg128@d0,2048"), ["pp512", "tg128", "tg128@d2048"]);
        assert_eq!(names("tg8@d0-4+2,d16,pp4"), ["tg8", "tg8@d2", "tg8@d4", "tg8@d16", "pp4"]);
        assert_eq!(names("ttft,load"), ["ttft", "load"]);
        for bad in ["", "512", "pp512,2048", "load@d4", "tg8@d", "tg8@dx", "warp9"] {
            assert!(parse_tests(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_error_says_what_would_do() {
        let error = parse_kv("f16,q8").unwrap_err().to_string();
        assert_eq!(error, r#"found "q8", expected f32, f16, q8_0"#);
        assert_eq!(parse_automatic("auto,2"), Ok(vec![None, Some(2)]));
        assert_eq!(parse_switches("on,0"), Ok(vec![true, false]));
        assert_eq!(parse_numerics("a8,auto"), Ok(vec![Some(Numerics::A8), None]));
        let int4 = Some(WeightScheme::Int4Group128);
        assert_eq!(parse_weights("file,int4-g128"), Ok(vec![None, int4]));
    }
}
