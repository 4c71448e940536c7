//! Suites, plans, the worker protocol, the one timed region, and the runner. Stores and prints nothing.
#![forbid(unsafe_code)]

pub mod builtin;
pub mod plan;
pub mod protocol;
pub mod runner;
pub mod suite;
pub mod worker;
