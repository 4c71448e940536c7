//! Other people's benches: criterion binaries, and commands that print a duration or simply take it, as `gate.toml` says.

mod command;
mod config;
mod criterion;

pub use command::Commands;
pub use config::{Bench, Config, Protocol};
pub use criterion::Criterion;
