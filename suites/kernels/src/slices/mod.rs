//! The gate's slice worker: one kernel at a time on data in several places (backends/SLICES.md).

mod clock;
#[cfg(feature = "inject")]
mod inject;
mod kernels;
mod publish;
mod serve;

#[cfg(feature = "inject")]
pub use inject::Inject;
pub use serve::{Worker, serve};
