//! A smaller model from a larger one: layers, heads and feed-forward channels removed by stated rules, or weights set to
//! zero. Nothing is trained again, and nothing is quantised again where whole blocks can be kept.

mod cut;
mod error;
mod file;
mod metadata;
mod plan;
mod score;
mod zeros;

pub use error::Error;
pub use file::{Pruned, prune};
pub use plan::{Kept, Layers, Plan, Pruning};
pub use zeros::{Zeroed, zero};
