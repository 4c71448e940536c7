//! Trade-offs: what a quantisation, or a KV cache type, costs and buys on one device; and which are worth choosing.

mod aspect;
mod candidates;
mod change;
mod family;
mod front;
pub(crate) mod pareto;
mod quantity;

use yardstick_record::Reference;

pub use aspect::{Aspect, Column};
pub use change::Change;
use family::family;
pub(crate) use family::is_held_against_itself;
pub use front::{Front, NoFront};
pub use pareto::Standing;
pub use quantity::Quantity;

use crate::{Noise, Row};
use yardstick_api::Known;

/// Formats of the same weights, or of their keys and values, on one device, side by side.
#[derive(Clone, Debug)]
pub struct Tradeoff {
    /// The model, without its format where formats are compared: `smollm-135m`.
    pub model: String,
    /// The device, with the label of its build where it has one.
    pub device: String,
    /// The machine.
    pub machine: String,
    /// What the candidates differ in.
    pub varies: Varies,
    /// What every candidate has a value of, or a reason why not.
    pub columns: Vec<Column>,
    /// Those compared, the largest first.
    pub candidates: Vec<Candidate>,
    /// The candidate that the others' changes are from: the largest.
    pub baseline: usize,
    /// What divergences were measured from.
    pub reference: Option<Reference>,
    /// Quality against what it costs.
    pub fronts: Vec<Front>,
    /// Costs without a front, and why.
    pub no_fronts: Vec<NoFront>,
}

/// What the candidates of a trade-off differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Varies {
    /// The format of the weights.
    Weights,
    /// The storage of keys and values.
    Keys,
}

/// One format.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name: `Q4_K_M`, or `q8_0` of keys and values.
    pub label: String,
    /// The model's name as asked for.
    pub model: String,
    /// Its file's hash.
    pub sha256: Known<String>,
    /// A value for each column.
    pub values: Vec<Known<Quantity>>,
    /// Against the baseline, for each column whose changes are told as a ratio.
    pub changes: Vec<Option<Change>>,
}

impl Tradeoff {
    /// The formats whose weights are stored as they were trained: a loss measured from others is not the whole loss.
    const UNQUANTISED: [&'static str; 3] = ["F32", "F16", "BF16"];

    /// Whether divergences were measured from a file that is quantised itself; `None` where its format is not known.
    pub fn reference_is_quantised(&self) -> Option<bool> {
        let format = self.reference.as_ref()?.quantisation.value()?;
        Some(!Tradeoff::UNQUANTISED.iter().any(|plain| plain.eq_ignore_ascii_case(format)))
    }
}

/// Every trade-off whose quality was asked for: two or more formats of one model on one device under the same settings.
pub(crate) fn tradeoffs(rows: &[Row], noise: &[Noise]) -> Vec<Tradeoff> {
    [Varies::Weights, Varies::Keys]
        .into_iter()
        .flat_map(|varies| candidates::groups(rows, varies))
        .map(|group| group.tradeoff(noise))
        .collect()
}
