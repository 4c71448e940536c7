//! The predictor: tokens/s of cells that were not measured, from cells that were and from what a model takes of a device.
//!
//! The time of a test is a sum of what it takes, each at a cost learnt for one device and phase:
//!
//! ```text
//! decode   seconds = Σ formats cost × weight bytes / read bandwidth + cost × KV bytes / read bandwidth
//!                    + cost × layers passed + cost × operations of further sequences / peak
//! prefill  seconds = Σ formats cost × operations / peak + cost × operations of the attention / peak
//!                    + cost × layers passed + cost × weight bytes / read bandwidth
//! ```
//!
//! A format whose matrices are of whole tiles (256 columns, 16 rows) has a cost of its own for them where that predicts models held
//! out of the cells better by a tenth: libraries may have another kernel there. A cost of 1 is the ceiling itself. Costs of formats and of the attention are drawn towards the device's mean, so that a
//! format seen once, or never, borrows from the others. The error bar is the error on cells held out in the way in which the question
//! lies outside of what was measured: other models, other formats, the largest, the deepest.

mod answer;
mod beyond;
mod cell;
mod costs;
mod error_bar;
mod held_out;
mod predictor;
mod setup;
mod sheet;
pub(crate) mod work;

pub use answer::{Answer, Forecast};
pub use error_bar::ErrorBar;
pub use held_out::{HeldOut, HeldOutCell};
pub use predictor::{Prediction, Predictor, Question};
pub use setup::Setup;
pub use sheet::{Class, Fact, Price, Published, Sheet, SheetPrediction, Sheets};
pub use work::Phase;
pub(crate) use work::Work;
