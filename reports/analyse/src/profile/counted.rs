//! What a model's description says a pass takes, to hold a backend's own counts against.

use serde::Serialize;
use yardstick_api::{Known, Options};
use yardstick_model::ModelInfo;
use yardstick_record::Test;

use super::pass::Pass;
use crate::predict::work::Work;

/// Counted from the model alone, a pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Counted {
    /// Weight bytes.
    pub weight_bytes: f64,
    /// Bytes of keys and values that some row sees, once each.
    pub kv_bytes: f64,
    /// Multiplications and additions.
    pub operations: f64,
}

/// A backend's count beside the model's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// `bytes`, `operations`.
    pub what: &'static str,
    /// Counted from the model.
    pub model: Known<f64>,
    /// Said by the backend.
    pub backend: Known<f64>,
    /// Whether they agree.
    pub agreement: Agreement,
}

/// Whether two counts agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// Within 3 %: norms and the row of embeddings are counted by one side only.
    Agrees,
    /// Farther apart.
    Differs,
    /// One of them is missing.
    Unknown,
}

const NEAR: f64 = 0.03;

impl Counted {
    /// Of one pass; `None` where the test is no speed. A prefill is one pass here, whatever its chunks.
    pub fn of(info: &ModelInfo, test: Test, options: &Options) -> Option<Counted> {
        let work = Work::of(info, test, options)?;
        let decode = matches!(test, Test::Generate { .. });
        // A prefill's rows share the keys they see.
        let (passes, kv_bytes) = match decode {
            true => (work.passes, work.kv_bytes / work.passes),
            false => (
                1.0,
                crate::predict::work::kv_bytes_a_position(info, options.kv)
                    * test.positions() as f64,
            ),
        };
        let chunks = if decode { 1.0 } else { work.passes };
        let operations = work.operations.values().sum::<f64>() + work.attention;
        Some(Counted {
            weight_bytes: work.weight_bytes() * chunks,
            kv_bytes,
            operations: operations / passes,
        })
    }

    /// Beside what a backend counted.
    pub fn beside(&self, pass: &Pass) -> [Tally; 2] {
        let sum = |of: fn(&super::Operation) -> &Known<f64>| {
            let missing = pass.operations.iter().find_map(|one| of(one).reason());
            match missing {
                Some(reason) => Known::unavailable(reason),
                None => Known::Value(pass.operations.iter().filter_map(|o| of(o).value()).sum()),
            }
        };
        [
            tally("bytes", self.weight_bytes + self.kv_bytes, sum(|one| &one.bytes)),
            tally("operations", self.operations, sum(|one| &one.operations)),
        ]
    }
}

fn tally(what: &'static str, model: f64, backend: Known<f64>) -> Tally {
    let agreement = match backend.value() {
        None => Agreement::Unknown,
        Some(said) if (said - model).abs() <= NEAR * model.abs() => Agreement::Agrees,
        Some(_) => Agreement::Differs,
    };
    Tally { what, model: Known::Value(model), backend, agreement }
}
