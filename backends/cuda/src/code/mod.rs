//! Kernels compiled without a GPU and looked at: registers, spills, shared memory, instructions. `gpu-code` lists them, for the
//! gate to hold two revisions against each other.

mod list;
mod mix;
mod taken;
mod units;

pub use list::{compile, list};
pub use taken::Taken;
pub use units::{threads, title, units, work};
