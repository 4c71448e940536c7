//! Quality: what a model's answers on a text, or to questions, are worth. Lies beside the speed of the same weights on the
//! same device, in the same record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yardstick_api::Known;

use crate::Metric;

/// What a quality test found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The text or the questions, with where they come from.
    pub data: Data,
    /// What answers were held against, for tests that compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// How it was done, in one sentence: windows, what was scored, when an answer counts.
    pub method: String,
    /// The results, one a metric.
    pub scores: Vec<Score>,
    /// The sums of each window, for tests of a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Each answer, for tests of questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answered>,
    /// The positions whose next word is predicted most differently than by the reference, the farthest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub farthest: Vec<Apart>,
}

/// A text or a set of questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// A file's name without its folders, or the name of one that is built in.
    pub name: String,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Who published it, and where.
    pub source: Known<String>,
    /// Under which licence.
    pub licence: Known<String>,
    /// When, as far as it is told.
    pub date: Known<String>,
}

/// What a test that compares was held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Name of the model whose answers count as right.
    pub model: String,
    /// SHA-256 of its file.
    pub sha256: Known<String>,
    /// Its format: a loss against weights that are quantised themselves is less than the whole loss.
    pub quantisation: Known<String>,
    /// The device that computed them.
    pub device: String,
    /// Why these answers are exact enough to count as right.
    pub proof: String,
}

/// A result: value, standard error, and how much it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// What; it has the unit and the direction.
    pub metric: Metric,
    /// The value, or the reason there is none.
    pub value: Known<f64>,
    /// Its standard error, in the same unit; of a share the binomial one.
    pub error: Known<f64>,
    /// Positions or answers behind it.
    pub n: u64,
}

/// The sums over one window of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Positions scored.
    pub n: u64,
    /// Sum of the negative log-likelihoods of the text's own tokens, nats.
    pub nll: f64,
    /// Sum of their squares.
    pub nll_squared: f64,
    /// Sum of the divergences at temperature 1, nats; for `kld`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kld: Option<f64>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The question's own id, or its line.
    pub id: String,
    /// The group it belongs to, where questions name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Whether it is right; absent where nobody said what would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<bool>,
    /// The same, where choices are weighed by their plain log-likelihood instead of that per byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right_unnormalised: Option<bool>,
    /// What was answered: the letter of a choice, or the text, its beginning where it is long.
    pub answer: String,
    /// Tokens generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Why it ended: `end`, `stop`, `length`; or what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How sure it is: of a choice, how far its log-likelihood per byte is above that of the next best, nats a byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// A position at which two models differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apart {
    /// The window, from 0.
    pub window: u64,
    /// The position in it, from 0: the one after which the next word is predicted.
    pub position: u64,
    /// The end of the text up to there.
    pub context: String,
    /// What the reference deems likeliest, and how likely.
    pub expected: Word,
    /// What this device and these weights do.
    pub found: Word,
    /// Divergence at temperature 1, nats.
    pub kld: f64,
}

/// A next word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Its text; bytes that are no characters are replaced.
    pub text: String,
    /// Its probability.
    pub probability: f64,
}

impl Data {
    /// Whether models may have seen it in training, in a sentence for reports.
    pub fn contamination(&self) -> String {
        match self.date.value() {
            Some(date) => {
                format!("published {date}: a model trained later may have been trained on it")
            }
            None => "no date is given: whether a model was trained on it cannot be told".to_owned(),
        }
    }
}

impl Quality {
    /// The score of a metric.
    pub fn score(&self, metric: Metric) -> Option<&Score> {
        self.scores.iter().find(|score| score.metric == metric)
    }
}
