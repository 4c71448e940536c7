//! Routes: the file of what a small and a large model take of a query, and what routing must keep; and the scores of queries.

use serde::Deserialize;
use toml::Spanned;
use yardstick_analyse::{Query, RouteNeeds, Side};
use yardstick_api::Known;

use crate::suite::Error;
use crate::suite::place::{Place, number, text};

/// No number of a route is as large.
const MOST: f64 = 1e15;
/// Most queries of a file.
const MOST_QUERIES: usize = 1_000_000;

/// A file's content, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteFile {
    /// Its name.
    pub name: String,
    /// What a query takes of the small model.
    pub small: Side,
    /// Of the large one.
    pub large: Side,
    /// The small model is asked first, always.
    pub cascade: bool,
    /// What routing must keep.
    pub needs: RouteNeeds,
    /// Battery of the device that asks, Wh.
    pub battery_wh: Option<f64>,
    /// What money is in.
    pub currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    analysis: Option<Spanned<String>>,
    currency: Option<Spanned<String>>,
    #[serde(default = "yes")]
    cascade: bool,
    battery_wh: Option<Spanned<f64>>,
    small: SideWire,
    large: SideWire,
    #[serde(default)]
    need: NeedWire,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SideWire {
    cost: Option<Spanned<f64>>,
    latency_ms: Option<Spanned<f64>>,
    joules: Option<Spanned<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NeedWire {
    most_loss: Option<Spanned<f64>>,
    most_cost: Option<Spanned<f64>>,
    most_latency_ms: Option<Spanned<f64>>,
    most_joules: Option<Spanned<f64>>,
    least_local: Option<Spanned<f64>>,
}

/// Parses a file's text; `file` is its name in errors.
pub fn parse(file: &str, source: &str) -> Result<RouteFile, Error> {
    let at = Place { file, text: source };
    let read: File = at.read()?;
    if let Some(analysis) = read.analysis {
        text(&at, analysis, 1 << 16, "prose that says what is routed")?;
    }
    let need = read.need;
    Ok(RouteFile {
        name: text(&at, read.name, 64, "a name")?,
        small: side(&at, read.small)?,
        large: side(&at, read.large)?,
        cascade: read.cascade,
        needs: RouteNeeds {
            most_loss: number(&at, need.most_loss, 0.0, 1.0)?,
            most_cost: number(&at, need.most_cost, 0.0, MOST)?,
            most_latency_ms: number(&at, need.most_latency_ms, 0.0, MOST)?,
            most_joules: number(&at, need.most_joules, 0.0, MOST)?,
            least_local: number(&at, need.least_local, 0.0, 1.0)?,
        },
        battery_wh: number(&at, read.battery_wh, 1e-6, MOST)?,
        currency: match read.currency {
            Some(currency) => text(&at, currency, 3, "three capitals, as EUR")?,
            None => "USD".to_owned(),
        },
    })
}

fn side(at: &Place<'_>, wire: SideWire) -> Result<Side, Error> {
    let known = |value, key: &str| -> Result<Known<f64>, Error> {
        let missing = || Known::unavailable(format!("{key} is neither stated nor measured"));
        Ok(number(at, value, 0.0, MOST)?.map_or_else(missing, Known::Value))
    };
    Ok(Side {
        cost: known(wire.cost, "cost")?,
        latency_ms: known(wire.latency_ms, "latency_ms")?,
        joules: known(wire.joules, "joules")?,
        records: Vec::new(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    small: f64,
    large: f64,
    confidence: f64,
}

/// Scores of queries, JSON lines of `id`, `small`, `large` and `confidence`; blank lines are skipped.
pub fn scores(file: &str, source: &str) -> Result<Vec<Query>, String> {
    let mut seen = std::collections::HashSet::new();
    let mut queries = Vec::new();
    for (index, line) in source.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{file}:{}", index + 1);
        let Line { id, small, large, confidence } =
            serde_json::from_str(line).map_err(|error| format!("{place}: {error}"))?;
        for (key, value) in [("small", small), ("large", large)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{place}: {key}: found {value}, expected a score from 0 to 1"));
            }
        }
        if !seen.insert(id.clone()) {
            return Err(format!("{place}: found id {id:?} twice, expected one each"));
        }
        if queries.len() == MOST_QUERIES {
            return Err(format!("{place}: expected at most {MOST_QUERIES} queries"));
        }
        queries.push(Query { id, small, large, confidence: Some(confidence) });
    }
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../suites/routes/desk.toml");
    const SCORES: &str = include_str!("../../../suites/routes/desk.jsonl");

    #[test]
    fn the_examples_are_read() {
        let file = parse("desk.toml", EXAMPLE).unwrap();
        assert_eq!(file.needs.most_loss, Some(0.05));
        assert!(file.small.joules.reason().unwrap().contains("neither stated nor measured"));
        assert!(scores("desk.jsonl", SCORES).unwrap().len() >= 30);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let sides = "[small]\ncost = 0\n[large]\ncost = 1\n";
        for (text, words) in [
            (
                format!("name = \"n\"\n{sides}price = 2\n"),
                "n:6:1: key `large.price`: unknown field",
            ),
            (
                format!("name = \"n\"\n{sides}[need]\nmost_loss = 2\n"),
                "found \"2\", expected a number",
            ),
            ("name = \"n\"\n[small]\n".to_owned(), "missing field `large`"),
        ] {
            let message = parse("n", &text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
        let line = |id: &str, small: f64| {
            format!("{{\"id\": \"{id}\", \"small\": {small}, \"large\": 1, \"confidence\": 0.5}}\n")
        };
        for (text, words) in [
            (line("a", 2.0), "q:1: small: found 2, expected a score"),
            (line("a", 1.0) + &line("a", 1.0), "q:2: found id \"a\" twice"),
            ("{\"id\": \"a\", \"smal\": 1}".to_owned(), "q:1: unknown field `smal`"),
        ] {
            let message = scores("q", &text).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
