//! Kernels: one file per format and instruction set, and the table that chooses among them.
#![allow(clippy::needless_range_loop, reason = "lanes and columns are indexed as in the formulas")]

pub(crate) mod activations;
pub(crate) mod elementwise;
mod f16;
pub(crate) mod float;
pub(crate) mod integer;
mod iq4_nl;
pub(crate) mod isa;
mod multiply;
pub(crate) mod packed;
mod panels;
pub(crate) mod prefetch;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod quant;
mod quantise;
#[cfg(target_arch = "x86_64")]
mod quantise_x86;
#[cfg(target_arch = "aarch64")]
mod sdot;
pub(crate) mod table;
pub(crate) mod wide;

#[cfg(target_arch = "x86_64")]
pub(crate) use isa::Avx512Vnni;
pub(crate) use isa::{Avx512Bf16, Isa};
pub(crate) use multiply::{FEW, Input, Out, Weights, decode, multiply, task_rows};
pub(crate) use quant::f16_to_f32;
pub(crate) use quantise::TILE;
pub(crate) use table::{Grouping, Kernel};
