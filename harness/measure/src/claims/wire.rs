//! The file of claims as it is written, checked into [`Claims`].

use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use yardstick_model::preset;
use yardstick_record::Metric;

use super::{Cannot, Claim, Claims, Fits, Measured, Share, Size, Test};
use crate::suite::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    analysis: String,
    claim: Vec<Spanned<Wire>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    id: String,
    claim: String,
    sentence: String,
    source: String,
    share: Option<Share>,
    size: Option<Size>,
    fits: Option<Fits>,
    measured: Option<Measured>,
    cannot: Option<Cannot>,
}

/// Longest text of a claim.
const MOST_CHARS: usize = 1000;
/// Most claims of a file.
const MOST_CLAIMS: usize = 1000;

pub(super) fn parse(file: &str, text: &str) -> Result<Claims, Error> {
    let error = |span: Range<usize>, message: String| Error::at(file, text, span, message);
    let read: File = toml::from_str(text)
        .map_err(|e| error(e.span().unwrap_or(0..0), e.message().trim_end().to_owned()))?;
    if read.claim.len() > MOST_CLAIMS {
        let message = format!("found {} claims, expected at most {MOST_CLAIMS}", read.claim.len());
        return Err(error(0..0, message));
    }
    let (mut claims, mut ids) = (Vec::new(), HashSet::new());
    for wire in read.claim {
        let span = wire.span();
        let claim = claim(wire.into_inner()).map_err(|message| error(span.clone(), message))?;
        if !ids.insert(claim.id.clone()) {
            return Err(error(span, format!("found id {:?} twice, expected one each", claim.id)));
        }
        claims.push(claim);
    }
    Ok(Claims { name: read.name, analysis: read.analysis, claims })
}

fn claim(wire: Wire) -> Result<Claim, String> {
    let Wire { id, claim, sentence, source, share, size, fits, measured, cannot } = wire;
    for (key, text) in
        [("id", &id), ("claim", &claim), ("sentence", &sentence), ("source", &source)]
    {
        if text.trim().is_empty() || text.chars().count() > MOST_CHARS {
            return Err(format!("{key}: expected text of 1 to {MOST_CHARS} characters"));
        }
    }
    let tests: Vec<Test> = [
        share.map(Test::Share),
        size.map(Test::Size),
        fits.map(Test::Fits),
        measured.map(Test::Measured),
        cannot.map(Test::Cannot),
    ]
    .into_iter()
    .flatten()
    .collect();
    let [test] = tests.as_slice() else {
        let found = tests.len();
        return Err(format!(
            "claim {id:?}: found {found} tests, expected one of [claim.share], [claim.size], [claim.fits], [claim.measured], [claim.cannot]"
        ));
    };
    check(test).map_err(|problem| format!("claim {id:?}: {problem}"))?;
    Ok(Claim { id, claim, sentence, source, test: test.clone() })
}

fn check(test: &Test) -> Result<(), String> {
    match test {
        Test::Share(share) => {
            names(&share.quantisations, &share.models)?;
            names(std::slice::from_ref(&share.of), &share.models)?;
            numbers(&[("percent", share.percent), ("margin", share.margin)])
        }
        Test::Size(size) => {
            names(&size.quantisations, &size.models)?;
            numbers(&[("gigabytes", size.gigabytes), ("margin", size.margin)])
        }
        Test::Fits(fits) => {
            names(&fits.quantisations, &fits.models)?;
            numbers(&[("gigabytes", fits.gigabytes), ("context", fits.context as f64)])
        }
        Test::Measured(measured) => check_measured(measured),
        Test::Cannot(cannot) if cannot.because.trim().is_empty() => {
            Err("because: expected the reason".to_owned())
        }
        Test::Cannot(_) => Ok(()),
    }
}

/// A test and a metric that there are, models that can be made, and a number.
fn check_measured(test: &Measured) -> Result<(), String> {
    if test.models.is_empty() {
        return Err("expected at least one of models".to_owned());
    }
    for model in test.models.iter().chain(&test.against) {
        preset::PresetRef::parse(model).map_err(|error| error.to_string())?;
    }
    test.test.parse::<yardstick_record::Test>().map_err(|error| format!("test: {error}"))?;
    if !Metric::ALL.iter().any(|metric| metric.name() == test.metric) {
        let known: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        return Err(format!(
            "metric: found {:?}, expected one of {}",
            test.metric,
            known.join(", ")
        ));
    }
    numbers(&[("number", test.number)])?;
    match test.margin {
        margin if margin.is_finite() && margin >= 0.0 => Ok(()),
        margin => Err(format!("margin: found {margin}, expected a number from 0")),
    }
}

/// Presets and formats that there are.
fn names(quantisations: &[String], models: &[String]) -> Result<(), String> {
    if quantisations.is_empty() || models.is_empty() {
        return Err("expected at least one of models and of quantisations".to_owned());
    }
    for model in models {
        for quantisation in quantisations {
            preset::PresetRef::parse(&format!("{model}:{quantisation}"))
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn numbers(values: &[(&str, f64)]) -> Result<(), String> {
    match values.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0 && *value < 1e9)) {
        Some((key, value)) => Err(format!("{key}: found {value}, expected a number above 0")),
        None => Ok(()),
    }
}
