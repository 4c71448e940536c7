//! Slice workers by turns: fresh processes of all sides a launch, one memory, random order, never the same data twice in turn.

mod compare;
mod memory;
mod outputs;
mod source;
mod turns;
mod worker;

pub use source::Slices;
