//! What the kernel benches are called, what each one does and reads, and the ceiling it is held against.
//! The benches themselves are `benches/kernels.rs`, the gate's worker is `bin/kernel-slices.rs`; names, shapes and files are
//! described in README.md.
#![forbid(unsafe_code)]

mod ceiling;
mod line;
mod list;
mod name;
mod slices;
mod work;

pub use ceiling::{Bound, Ceilings};
pub use line::{Line, Time};
pub use list::{SHAPES, names, of_isa};
pub use name::{Name, NameError, Operation, Shape};
#[cfg(feature = "inject")]
pub use slices::Inject;
pub use slices::{Worker, serve};
pub use work::{Work, build, work};
