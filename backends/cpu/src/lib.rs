//! The cpu backend: a quantised transformer on the processor, straight from the mapped file.
//!
//! Devices are instruction sets, `cpu:scalar`, `cpu:avx2`, `cpu:avx512-vnni`, `cpu:amx`, chosen at run time. One crew of threads
//! runs the whole forward pass; each phase ends at a barrier. Quantised weights are packed at load, in panels of 16 rows
//! that decode streams and prefill unpacks (`packed/`, `kernels/packed/`). Activations are
//! quantised to 8 bits per 32 (numerics `a8`), or stay f32 when asked (`f32`, every weight decoded).
//!
//! Read `forward.rs` first, then `kernels/table.rs`.

mod affinity;
mod amx;
mod attend;
mod attention;
mod backend;
#[doc(hidden)]
pub mod bench;
mod buffer;
mod ceilings;
mod cuts;
mod engine;
mod feed_forward;
mod forward;
mod kernels;
mod kv;
mod packed;
mod pages;
mod pool;
mod product;
mod profile;
mod rotary;
mod session;
mod switches;
mod topology;
mod touched;
mod usable;
mod weights;

pub use backend::{Cpu, KeepingCpu};
