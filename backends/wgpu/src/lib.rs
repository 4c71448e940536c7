//! The transformer as compute shaders, on Vulkan, Metal and DX12: every operation a `.wgsl` file under shaders/.
//! What the layouts, programs and variants are and why is said in README.md.
#![deny(unsafe_code)]

mod adapters;
mod backend;
pub mod bench;
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
mod session;
mod shaders;
mod sizes;
mod tune;
mod wait;
mod weights;

pub use backend::Wgpu;
