//! Checkpoints to GGUF: every order of weights there is, what is refused, and that nothing half is left behind.
//!
//! Against transformers' own logits: tests/converted.rs of the reference backend.
#![allow(missing_docs, clippy::unwrap_used)]

mod build;
mod lora;
mod orders;
mod packed;
mod refuse;
mod text;
