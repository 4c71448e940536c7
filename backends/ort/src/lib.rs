//! ONNX Runtime as a backend: its execution providers are devices. The model is converted here, from the same file and the same
//! architecture description as everywhere; the runtime is found and loaded when it is asked for; and every session proves which
//! provider its nodes were given to. See README.md.
#![deny(unsafe_code)]

mod backend;
mod footprint;
mod network;
mod onnx;
mod placement;
mod providers;
mod rotary;
#[allow(unsafe_code, reason = "a runtime is asked what it is through its C interface")]
mod runtime;
mod session;
mod weights;

pub use backend::{Ort, Provoke, Settings};
pub use runtime::Search;
