//! Candle as a peer: its quantised tensors and its kernels, our parser and one forward pass of our own that reads
//! `Architecture`. What it computes, what it copies and what it lacks is said in plans and facts.
//! It is no kernel of ours and is not tuned here; see README.md.
#![forbid(unsafe_code)]

mod attention;
mod backend;
mod cache;
mod experts;
mod footprint;
mod formats;
mod forward;
mod machine;
mod rotary;
mod session;
mod threads;
mod weights;

pub use backend::Candle;
