//! Checkpoints as Hugging Face lays them out (config.json, safetensors, a tokenizer) to GGUF, with the tensors, names and
//! orders that llama.cpp's converter gives them. Everything read here is untrusted.
//!
//! A family is a row of `families`: names of its tensors, and what its config.json says in other words. What the file
//! must hold then follows from [`crate::Architecture`], so that config and tensors are held against each other whole:
//! a tensor missing, of another shape, or left over is an error that names both.

mod assemble;
mod config;
mod families;
mod file;
mod lora;
mod metadata;
mod metadata_openelm;
mod names;
mod plan;
mod rope;
mod tokenizer;

pub use file::{Converted, Converting, convert};
