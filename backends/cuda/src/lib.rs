//! NVIDIA GPUs: fused kernels compiled at first use, a forward pass written down as a list of launches, and tokens chained
//! on the device. README.md says how; nothing here needs a CUDA toolkit to build, or a GPU to be tested.

#![deny(unsafe_code)]

mod backend;
mod cache;
mod ceilings;
pub mod code;
mod experts;
mod footprint;
mod forward;
pub mod kernels;
pub mod machine;
mod nvidia;
mod prefill;
pub mod repack;
mod scratch;
mod session;
mod weights;
mod words;

pub use backend::Cuda;
pub use nvidia::nvrtc;
