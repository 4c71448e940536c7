//! Weight schemes of other programs in safetensors: AWQ, GPTQ and bitsandbytes' NF4, decoded exactly. Encodes nothing.
//!
//! [`Scheme::of_config`] says which one a checkpoint has; [`crate::safetensors::Checkpoint::unpack`] then shows each packed
//! matrix, `NAME.qweight` and what belongs to it, as one tensor `NAME.weight` of f32, (out, in).

mod config;
mod groups;
mod nf4;
mod packed;

pub use config::{Order, Scheme};
pub use packed::Packed;

pub(crate) use packed::{Derived, Parts, derive};
