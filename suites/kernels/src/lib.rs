//! What the kernel benches are called, what each one does and reads, and the ceiling it is held against.
//! The benches themselves are `benches/kernels.rs`; names, shapes and files are described in README.md.
#![forbid(unsafe_code)]

mod ceiling;
mod line;
mod list;
mod name;
mod work;

pub use ceiling::{Bound, Ceilings};
pub use line::{Line, Time};
pub use list::{SHAPES, names, of_isa};
pub use name::{Name, NameError, Operation, Shape};
pub use work::{Work, build, work};
