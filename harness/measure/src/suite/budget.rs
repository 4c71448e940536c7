//! Budgets: limits on metrics, as a suite or a file of their own holds them.

use serde::Deserialize;
use toml::Spanned;
use yardstick_record::{Direction, Metric};

use super::place::{Place, text};
use super::wire::MAX_BYTES;
use super::{Budget, Error, Scope, Suite, Threshold, ValueError};

/// A file of budgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Budgets {
    /// Its name in alerts.
    pub name: String,
    /// The limits, in the order of the file.
    pub budgets: Vec<Budget>,
}

impl Budgets {
    /// Parses a file of budgets, or a suite for the sake of its own; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Budgets, Error> {
        let at = Place { file, text };
        let budgets = match is_suite(text) {
            true => {
                let Suite { name, budgets, .. } = Suite::parse(file, text)?;
                Budgets { name, budgets }
            }
            false => read(&at)?,
        };
        if budgets.budgets.is_empty() {
            let message = "found no [[budget]], expected at least one".to_owned();
            return Err(at.error(0..0, message));
        }
        Ok(budgets)
    }
}

/// Budgets have no tests of their own.
fn is_suite(text: &str) -> bool {
    text.len() <= MAX_BYTES
        && toml::from_str::<toml::Table>(text).is_ok_and(|table| table.contains_key("tests"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    #[serde(default)]
    analysis: Option<Spanned<String>>,
    #[serde(default)]
    budget: Vec<BudgetWire>,
}

fn read(at: &Place<'_>) -> Result<Budgets, Error> {
    let File { name, analysis, budget: all } = at.read()?;
    if let Some(analysis) = analysis {
        text(at, analysis, 1 << 16, "prose that says what the budgets are for")?;
    }
    Ok(Budgets {
        name: text(at, name, 64, "a name")?,
        budgets: all.into_iter().map(|one| budget(at, one)).collect::<Result<_, _>>()?,
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeWire {
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    devices: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    quantisations: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetWire {
    metric: Spanned<String>,
    direction: Option<Spanned<String>>,
    threshold: Spanned<toml::Value>,
    #[serde(default)]
    scope: ScopeWire,
}

/// Checks one.
pub(super) fn budget(at: &Place<'_>, wire: BudgetWire) -> Result<Budget, Error> {
    let BudgetWire { metric: name, direction: way, threshold: limit, scope } = wire;
    let ScopeWire { tests, devices, models, quantisations } = scope;
    let metric = metric(at, &name)?;
    Ok(Budget {
        metric,
        direction: direction(at, metric, way)?,
        threshold: threshold(at, limit)?,
        scope: Scope { tests, devices, models, quantisations },
    })
}

fn metric(at: &Place<'_>, name: &Spanned<String>) -> Result<Metric, Error> {
    let found = Metric::ALL.into_iter().find(|metric| metric.name() == name.get_ref());
    let names = || Metric::ALL.map(Metric::name).join(", ");
    at.value(name.span(), found.ok_or_else(|| ValueError::new(name.get_ref(), names())))
}

/// The metric's own direction; one that is written down must agree, or the budget would mean its opposite.
fn direction(
    at: &Place<'_>,
    metric: Metric,
    written: Option<Spanned<String>>,
) -> Result<Direction, Error> {
    let own = metric.direction();
    let name = match own {
        Direction::Higher => "higher",
        Direction::Lower => "lower",
    };
    match written {
        Some(way) if way.get_ref() != name => {
            let expected = format!("{name}: that is the better {}", metric.name());
            at.value(way.span(), Err(ValueError::new(way.get_ref(), expected)))
        }
        _ => Ok(own),
    }
}

fn threshold(at: &Place<'_>, value: Spanned<toml::Value>) -> Result<Threshold, Error> {
    let span = value.span();
    let threshold = match value.get_ref() {
        toml::Value::Integer(number) => Some(Threshold::Value(*number as f64)),
        toml::Value::Float(number) if number.is_finite() => Some(Threshold::Value(*number)),
        toml::Value::String(text) => text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse().ok())
            .filter(|number| (0.0..=100.0).contains(number))
            .map(Threshold::Percent),
        _ => None,
    };
    let found = value.get_ref().to_string();
    let expected = "a number in the metric's unit, or a string such as \"3 %\"";
    at.value(span, threshold.ok_or_else(|| ValueError::new(&found, expected)))
}
