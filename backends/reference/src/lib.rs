//! The reference: a forward pass written to be read and believed. Weights are decoded row by row, all
//! arithmetic is f32 (norms and softmax sum in f64), and a token's logits do not depend, to the bit, on
//! how its sequence was cut into calls. Not written to be fast, only fast enough to check others.
//!
//! Read `forward.rs` first.
#![forbid(unsafe_code)]

mod attention;
mod backend;
mod cache;
mod exits;
mod ffn;
mod forward;
mod matmul;
mod memory;
mod norm;
mod observe;
mod rotary;
mod session;
mod threads;
mod weights;

pub use backend::Reference;
pub use exits::{Guess, exits};
pub use observe::observe;
