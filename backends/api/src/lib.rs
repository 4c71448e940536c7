//! The contract between the harness and the backends: traits, the types they exchange, and the
//! conformance suite every backend passes. Runs nothing itself.
#![forbid(unsafe_code)]

mod architecture;
mod backend;
mod batch;
pub mod compiled;
pub mod conformance;
mod device;
mod facts;
pub mod host;
mod known;
mod limit;
pub mod mutants;
mod options;
mod plan;
pub mod slices;
mod step;
pub mod verify;
mod weight_scheme;

pub use architecture::{experts_note, unfit_heads};
pub use backend::{Backend, Emit, Error, Footprint, Session, Unsupported};
pub use batch::{Batch, Logits, Rows, Sequence, Span, Token};
pub use device::{Device, DeviceClass, DeviceKind, DeviceStatus};
pub use facts::{Facts, OperationTime, Profile};
pub use known::Known;
pub use limit::{Limit, Reached, Round};
pub use options::{KvType, Numerics, Options};
pub use step::{Lengths, Piece, Step};
pub use weight_scheme::WeightScheme;
