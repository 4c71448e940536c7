//! Claims about what was measured: a value of a cell, or how it stands to another's on the same device.

use serde::{Deserialize, Serialize};

use yardstick_analyse::{WindowedChange, windowed_change};
use yardstick_record::Quality;

use super::find::{Found, trimmed};

/// A metric of a model's test, alone or against another model's, on every device that measured it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Models as `--model` takes them, with their format.
    pub models: Vec<String>,
    /// A test as suites name it.
    pub test: String,
    /// A metric's name, as in records.
    pub metric: String,
    /// The model whose value is held against; without it the value itself is claimed.
    #[serde(default)]
    pub against: Option<String>,
    /// What is made of the two values: `ratio` is value / the other's, `difference` value - the other's.
    #[serde(default)]
    pub by: By,
    /// How the result stands to `number`.
    pub is: Relation,
    /// The number claimed, in the metric's unit or as a ratio.
    pub number: f64,
    /// How far off `about` is still true, percent of `number`.
    #[serde(default)]
    pub margin: f64,
}

/// What is made of two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// One divided by the other.
    #[default]
    Ratio,
    /// One less the other.
    Difference,
}

/// How a result stands to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Not below it.
    AtLeast,
    /// Not above it.
    AtMost,
    /// Within the margin.
    About,
}

/// A metric of one cell as the records have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The cell's device, with its threads and whatever else tells cells apart.
    pub device: String,
    /// The model's name.
    pub model: String,
    /// The test's name.
    pub test: String,
    /// The metric's name.
    pub metric: String,
    /// The value, and bounds that hold the true one; bounds are absent where nothing says how far it can be trusted.
    pub value: f64,
    /// Lower and upper bound.
    pub bounds: Option<(f64, f64)>,
    /// The windows behind a perplexity: two on one text are compared window by window.
    pub quality: Option<Box<Quality>>,
}

/// A number and its bounds.
#[derive(Clone, Copy)]
struct Bounded {
    value: f64,
    low: f64,
    high: f64,
}

/// How a bounded number stands to a claim.
#[derive(PartialEq)]
enum Stands {
    Keeps,
    Breaks,
    Open,
}

pub(super) fn measured(test: &Measured, evidence: &[Evidence]) -> Result<Found, String> {
    let (mut lines, mut against, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for model in &test.models {
        for one in evidence.iter().filter(|one| test.is_about(one, model)) {
            let Some(result) = result(test, one, evidence) else { continue };
            let words = format!("{} on {}: {}", model, one.device, test.words(result));
            match test.stands(result) {
                Stands::Keeps => {}
                Stands::Breaks => against.push(format!("{} on {}", test.words(result), one.device)),
                Stands::Open => open.push(format!("{} on {}", test.words(result), one.device)),
            }
            lines.push(words);
        }
    }
    if lines.is_empty() {
        return Err(format!("no record here has it; `{}` makes one", test.command()));
    }
    Ok(Found { how: test.how(), tested: lines.len(), measured: lines, against, open })
}

/// The value, or what is made of it and the other model's on the same device. No result without bounds: it decides nothing.
fn result(test: &Measured, one: &Evidence, evidence: &[Evidence]) -> Option<Bounded> {
    let bounded = |of: &Evidence| {
        let (low, high) = of.bounds?;
        Some(Bounded { value: of.value, low, high })
    };
    let Some(against) = &test.against else { return bounded(one) };
    let other = evidence.iter().find(|it| it.device == one.device && test.is_about(it, against))?;
    if let (Some(mine), Some(others)) = (&one.quality, &other.quality)
        && let Some(change) = windowed_change(mine, others)
    {
        return Some(windowed(change, test.by));
    }
    let (mine, other) = (bounded(one)?, bounded(other)?);
    match test.by {
        By::Difference => Some(Bounded {
            value: mine.value - other.value,
            low: mine.low - other.high,
            high: mine.high - other.low,
        }),
        By::Ratio if other.low > 0.0 => Some(Bounded {
            value: mine.value / other.value,
            low: mine.low / other.high,
            high: mine.high / other.low,
        }),
        By::Ratio => None,
    }
}

fn windowed(change: WindowedChange, by: By) -> Bounded {
    let (value, interval) = match by {
        By::Ratio => (change.ratio, change.ratio_interval),
        By::Difference => (change.difference, change.difference_interval),
    };
    Bounded { value, low: interval.low, high: interval.high }
}

impl Measured {
    fn is_about(&self, one: &Evidence, model: &str) -> bool {
        one.model == model && one.test == self.test && one.metric == self.metric
    }

    /// Whether all of the bounds keep the claim, none does, or only some.
    fn stands(&self, result: Bounded) -> Stands {
        let slack = self.number.abs() * self.margin / 100.0;
        let (least, most) = match self.is {
            Relation::AtLeast => (self.number, f64::INFINITY),
            Relation::AtMost => (f64::NEG_INFINITY, self.number),
            Relation::About => (self.number - slack, self.number + slack),
        };
        if result.low >= least && result.high <= most {
            Stands::Keeps
        } else if result.high < least || result.low > most {
            Stands::Breaks
        } else {
            Stands::Open
        }
    }

    fn words(&self, result: Bounded) -> String {
        let unit = if self.against.is_some() && self.by == By::Ratio { "×" } else { "" };
        let Bounded { value, low, high } = result;
        format!("{}{unit} [{}, {}]", short(value), short(low), short(high))
    }

    fn how(&self) -> String {
        let what = match (&self.against, self.by) {
            (None, _) => format!("{} of {}", self.metric, self.test),
            (Some(other), By::Ratio) => {
                format!("{} of {} over that of {other} on the same device", self.metric, self.test)
            }
            (Some(other), By::Difference) => {
                format!("{} of {} less that of {other} on the same device", self.metric, self.test)
            }
        };
        let claimed = match self.is {
            Relation::AtLeast => format!("at least {}", trimmed(self.number)),
            Relation::AtMost => format!("at most {}", trimmed(self.number)),
            Relation::About => format!("{} ± {} %", trimmed(self.number), trimmed(self.margin)),
        };
        format!("records here, {what}, 95 % bounds; all of the bounds {claimed} is true")
    }

    /// What makes the records.
    fn command(&self) -> String {
        let models = self.models.iter().chain(&self.against);
        let models: Vec<String> = models.map(|model| format!("-m {model}")).collect();
        format!("yardstick run {} -t {} --launches 6", models.join(" "), self.test)
    }
}

/// Three digits.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { 2 - value.abs().log10().floor() as i32 };
    format!("{value:.*}", digits.clamp(0, 6) as usize)
}
