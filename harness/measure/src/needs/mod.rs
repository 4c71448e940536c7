//! Needs: the file of what is required, checked where it stands into what the recommendation and the search for settings take.

mod families;
mod search;

use serde::Deserialize;
use toml::Spanned;
use yardstick_analyse::predict::Class;
use yardstick_analyse::recommend::{Api, Needs, Only, Requirement, Spans, Stated, What, Workload};

use crate::suite::place::{Names, Place, number, text, whole};
use crate::suite::{Error, ValueError};

pub use search::Search;

/// No number of needs is as large.
const MOST: f64 = 1e15;
/// Most worlds drawn: a minute's work.
const MOST_WORLDS: u32 = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    analysis: Option<Spanned<String>>,
    currency: Option<Spanned<String>>,
    rank_by: Option<Spanned<String>>,
    #[serde(default)]
    need: Vec<NeedWire>,
    #[serde(default)]
    workload: WorkloadWire,
    #[serde(default)]
    machine: Vec<MachineWire>,
    api: Option<Spanned<ApiWire>>,
    #[serde(default)]
    only: OnlyWire,
    #[serde(default)]
    stability: StabilityWire,
    #[serde(default)]
    search: search::Wire,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NeedWire {
    what: Spanned<String>,
    at_least: Option<Spanned<f64>>,
    at_most: Option<Spanned<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadWire {
    tokens_per_day: Option<Spanned<f64>>,
    requests_per_day: Option<Spanned<f64>>,
    prompt_tokens: Option<Spanned<i64>>,
    answer_tokens: Option<Spanned<i64>>,
    depth: Option<Spanned<i64>>,
    hours_per_day: Option<Spanned<f64>>,
    devices: Option<Spanned<i64>>,
    years: Option<Spanned<f64>>,
    electricity_per_kwh: Option<Spanned<f64>>,
    battery_wh: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineWire {
    name: Spanned<String>,
    price: Option<Spanned<f64>>,
    watts: Option<Spanned<f64>>,
    idle_watts: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiWire {
    per_request: Option<Spanned<f64>>,
    per_million_tokens: Option<Spanned<f64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyWire {
    #[serde(default)]
    devices: Names,
    #[serde(default)]
    models: Names,
    #[serde(default)]
    quantisations: Names,
    #[serde(default)]
    classes: Vec<Class>,
    #[serde(default)]
    licences: Names,
    #[serde(default)]
    strengths: Names,
    #[serde(default)]
    targets: Names,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StabilityWire {
    price_span: Option<Spanned<f64>>,
    workload_span: Option<Spanned<f64>>,
    unknown_span: Option<Spanned<f64>>,
    worlds: Option<Spanned<i64>>,
}

/// Parses a file's text; `file` is its name in errors.
pub fn parse(file: &str, source: &str) -> Result<Needs, Error> {
    Ok(parse_profile(file, source)?.0)
}

/// The same with what `tune` may vary.
pub fn parse_profile(file: &str, source: &str) -> Result<(Needs, Search), Error> {
    let at = Place { file, text: source };
    let mut read: File = at.read()?;
    let search = search::search(&at, std::mem::take(&mut read.search))?;
    Ok((needs(&at, read)?, search))
}

fn needs(at: &Place<'_>, read: File) -> Result<Needs, Error> {
    if let Some(analysis) = read.analysis {
        text(at, analysis, 1 << 16, "prose that says what is decided")?;
    }
    let asked = read.need.iter().map(|need| (need.what.get_ref().clone(), need.what.span()));
    let asked: Vec<_> = asked.collect();
    let requirements: Vec<Requirement> =
        read.need.into_iter().map(|one| need(at, one)).collect::<Result<_, _>>()?;
    let workload = workload(at, read.workload)?;
    let battery = asked.iter().find(|(what, _)| what == What::BatteryHours.name());
    if let (Some((_, span)), None) = (battery, workload.battery_wh) {
        let message = "battery_hours needs workload.battery_wh beside it".to_owned();
        return Err(at.error(span.clone(), message));
    }
    agree(at, &requirements, &asked)?;
    Ok(Needs {
        name: text(at, read.name, 64, "a name")?,
        requirements,
        workload,
        machines: read.machine.into_iter().map(|m| machine(at, m)).collect::<Result<_, _>>()?,
        currency: read.currency.map_or_else(|| Ok("USD".to_owned()), |c| currency(at, c))?,
        api: read.api.map(|one| api(at, one)).transpose()?,
        only: only(at, read.only)?,
        families: families::built_in()?,
        spans: spans(at, read.stability)?,
        rank_by: read.rank_by.map(|name| what(at, &name)).transpose()?,
    })
}

fn what(at: &Place<'_>, name: &Spanned<String>) -> Result<What, Error> {
    let found = What::ALL.into_iter().find(|what| what.name() == name.get_ref());
    let names = || What::ALL.map(What::name).join(", ");
    at.value(name.span(), found.ok_or_else(|| ValueError::new(name.get_ref(), names())))
}

fn need(at: &Place<'_>, wire: NeedWire) -> Result<Requirement, Error> {
    let (what, span) = (what(at, &wire.what)?, wire.what.span());
    let at_least = number(at, wire.at_least, 0.0, MOST)?;
    let at_most = number(at, wire.at_most, 0.0, MOST)?;
    if at_least.is_none() && at_most.is_none() {
        let expected = "at_least or at_most beside it";
        return at.value(span, Err(ValueError::new(what.name(), expected)));
    }
    Ok(Requirement { what, at_least, at_most })
}

/// Two bounds of one quantity that nothing can keep are named as a pair.
fn agree(
    at: &Place<'_>,
    requirements: &[Requirement],
    asked: &[(String, std::ops::Range<usize>)],
) -> Result<(), Error> {
    for (i, one) in requirements.iter().enumerate() {
        for (j, other) in requirements.iter().enumerate() {
            let (Some(least), Some(most)) = (one.at_least, other.at_most) else { continue };
            if one.what == other.what && least > most {
                let line = |index: usize| at.line(asked[index].1.start);
                let message = format!(
                    "contradiction: {} at least {least} (line {}) and at most {most} (line {})",
                    one.what.name(),
                    line(i),
                    line(j)
                );
                return Err(at.error(asked[i.max(j)].1.clone(), message));
            }
        }
    }
    Ok(())
}

fn workload(at: &Place<'_>, wire: WorkloadWire) -> Result<Workload, Error> {
    let count = |value, least| -> Result<Option<f64>, Error> {
        Ok(whole(at, value, least, u32::MAX)?.map(f64::from))
    };
    let spans = (
        wire.tokens_per_day.as_ref().map(Spanned::span),
        wire.answer_tokens.as_ref().map(Spanned::span),
        wire.requests_per_day.as_ref().map(Spanned::span),
    );
    let tokens = number(at, wire.tokens_per_day, 1.0, MOST)?;
    let requests = number(at, wire.requests_per_day, 1.0, MOST)?;
    let answer = count(wire.answer_tokens, 1)?;
    let from_requests = match (requests, answer) {
        (Some(requests), Some(answer)) => Some(requests * answer),
        (Some(_), None) => {
            let message = "requests_per_day needs answer_tokens beside it".to_owned();
            return Err(at.error(spans.2.unwrap_or(0..0), message));
        }
        (None, _) => None,
    };
    if let (Some(tokens), Some(product)) = (tokens, from_requests)
        && (tokens - product).abs() > 1e-9 * product
    {
        let message = format!(
            "contradiction: tokens_per_day is {tokens}, requests_per_day × answer_tokens is {product}"
        );
        return Err(at.error(spans.0.unwrap_or(0..0), message));
    }
    Ok(Workload {
        tokens_per_day: tokens.or(from_requests),
        prompt_tokens: count(wire.prompt_tokens, 0)?.unwrap_or(0.0),
        answer_tokens: answer.unwrap_or(DEFAULT_ANSWER),
        depth: whole(at, wire.depth, 0, 1 << 24)?.unwrap_or(0) as usize,
        hours_per_day: number(at, wire.hours_per_day, 0.01, 24.0)?.unwrap_or(24.0),
        devices: count(wire.devices, 1)?,
        years: number(at, wire.years, 0.01, 100.0)?.unwrap_or(3.0),
        electricity_per_kwh: number(at, wire.electricity_per_kwh, 0.0, MOST)?,
        battery_wh: number(at, wire.battery_wh, 1e-6, MOST)?,
    })
}

/// Tokens of an answer that nothing is said of.
const DEFAULT_ANSWER: f64 = 128.0;

fn machine(at: &Place<'_>, wire: MachineWire) -> Result<Stated, Error> {
    Ok(Stated {
        name: text(at, wire.name, 256, "a machine's or a device's name")?,
        price: number(at, wire.price, 0.0, MOST)?,
        watts: number(at, wire.watts, 1e-6, MOST)?,
        idle_watts: number(at, wire.idle_watts, 0.0, MOST)?,
    })
}

fn currency(at: &Place<'_>, wire: Spanned<String>) -> Result<String, Error> {
    let plain = wire.get_ref().len() == 3 && wire.get_ref().bytes().all(|b| b.is_ascii_uppercase());
    let found = wire.get_ref().clone();
    let error = ValueError::new(&found, "three capitals, as EUR");
    at.value(wire.span(), if plain { Ok(found) } else { Err(error) })
}

fn api(at: &Place<'_>, wire: Spanned<ApiWire>) -> Result<Api, Error> {
    let span = wire.span();
    let ApiWire { per_request, per_million_tokens } = wire.into_inner();
    let request = number(at, per_request, 0.0, MOST)?;
    let tokens = number(at, per_million_tokens, 0.0, MOST)?;
    match (request, tokens) {
        (Some(price), None) => Ok(Api::PerRequest(price)),
        (None, Some(price)) => Ok(Api::PerMillionTokens(price)),
        (Some(_), Some(_)) => Err(at.error(
            span,
            "contradiction: per_request and per_million_tokens, expected one of them".to_owned(),
        )),
        (None, None) => {
            Err(at.error(span, "expected per_request or per_million_tokens".to_owned()))
        }
    }
}

fn only(at: &Place<'_>, wire: OnlyWire) -> Result<Only, Error> {
    let list = |names: Names| -> Result<Vec<String>, Error> {
        names.into_iter().map(|name| text(at, name, 256, "a name")).collect()
    };
    Ok(Only {
        devices: list(wire.devices)?,
        models: list(wire.models)?,
        quantisations: list(wire.quantisations)?,
        classes: wire.classes,
        licences: list(wire.licences)?,
        strengths: list(wire.strengths)?,
        targets: list(wire.targets)?,
    })
}

fn spans(at: &Place<'_>, wire: StabilityWire) -> Result<Spans, Error> {
    let default = Spans::default();
    Ok(Spans {
        price: number(at, wire.price_span, 0.0, 10.0)?.unwrap_or(default.price),
        workload: number(at, wire.workload_span, 0.0, 10.0)?.unwrap_or(default.workload),
        unknown: number(at, wire.unknown_span, 0.0, 10.0)?.unwrap_or(default.unknown),
        worlds: whole(at, wire.worlds, 1, MOST_WORLDS)?.map_or(default.worlds, |n| n as usize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../../suites/needs/shelf.toml");

    #[test]
    fn the_example_is_read() {
        let needs = parse("shelf.toml", EXAMPLE).unwrap();
        assert_eq!(needs.requirements[0].what, What::TokensPerSecond);
        assert_eq!(needs.workload.tokens_per_day, Some(256_000.0));
        assert!(needs.machines.len() == 1 && needs.api.is_some());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_contradictions_name_the_pair() {
        let need = |lines: &str| format!("name = \"n\"\n[[need]]\n{lines}\n");
        for (text, words) in [
            ("name = \"n\"\nnedes = 1\n".to_owned(), "n:2:1: key `nedes`: unknown field"),
            (need("what = \"warp\"\nat_least = 1"), "n:3:8: key `need.what`: found \"warp\""),
            (need("what = \"price\""), "found \"price\", expected at_least or at_most"),
            (need("what = \"price\"\nat_most = -1"), "n:4:11: key `need.at_most`: found \"-1\""),
            (need("what = \"price\"\nat_most = nan"), "found \"NaN\""),
            (
                need("what = \"price\"\nat_least = 5\n[[need]]\nwhat = \"price\"\nat_most = 4"),
                "n:6:8: key `need.what`: contradiction: price at least 5 (line 3) and at most 4 (line 6)",
            ),
            (need("what = \"battery_hours\"\nat_least = 5"), "needs workload.battery_wh"),
            (
                "name = \"n\"\n[api]\nper_request = 1\nper_million_tokens = 2\n".to_owned(),
                "contradiction: per_request and per_million_tokens",
            ),
            (
                "name = \"n\"\n[workload]\ntokens_per_day = 9\nrequests_per_day = 2\nanswer_tokens = 4\n"
                    .to_owned(),
                "n:3:18: key `workload.tokens_per_day`: contradiction: tokens_per_day is 9",
            ),
            ("name = \"n\"\n[workload]\nrequests_per_day = 2\n".to_owned(), "needs answer_tokens"),
            ("name = \"n\"\ncurrency = \"dollars\"\n".to_owned(), "three capitals"),
            ("name = \"n\"\n[only]\nlicence = [\"MIT\"]\n".to_owned(), "unknown field `licence`"),
            ("name = \"n\"\n[only]\nclasses = [\"fridge\"]\n".to_owned(), "unknown variant"),
        ] {
            let message = parse("n", &text).unwrap_err().to_string();
            assert!(message.contains(words), "{text}\n{message}");
        }
    }
}
