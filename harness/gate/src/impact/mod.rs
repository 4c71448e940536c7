//! Which kernels a change can reach: those whose machine code, or anything it calls or reads, differs between two programs. Needs
//! programs linked with `--emit-relocs`; where something cannot be told, it counts as changed.

mod graph;
mod image;
mod judge;
mod narrow;
#[cfg(test)]
mod tests;

pub use judge::{Impact, Listed, impact};
pub use narrow::{narrow, unchanged};
