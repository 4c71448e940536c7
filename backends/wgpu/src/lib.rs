//! The transformer as compute shaders, on Vulkan, Metal and DX12: every operation a `.wgsl` file under shaders/.
//! What the layouts, programs and variants are and why is said in README.md.
#![deny(unsafe_code)]

mod adapters;
#[cfg(not(target_arch = "wasm32"))]
mod backend;
#[cfg(not(target_arch = "wasm32"))]
pub mod bench;
#[cfg(not(target_arch = "wasm32"))]
mod blocking;
mod buffers;
mod build;
mod ceiling;
mod fault;
mod gpu;
mod kept;
mod matrix;
mod mutants;
mod pipelines;
mod plan;
mod planes;
mod program;
mod read_back;
mod session;
mod shaders;
mod sizes;
mod texels;
mod tune;
mod wait;
mod weights;

pub use adapters::{devices, look};
#[cfg(not(target_arch = "wasm32"))]
pub use backend::Wgpu;
pub use session::WgpuSession;
