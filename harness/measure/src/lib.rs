//! Suites, claims, plans, the worker protocol, the one timed region, and the runner. Stores and prints nothing.
#![forbid(unsafe_code)]

pub mod builtin;
mod child;
pub mod claims;
mod clock;
pub mod needs;
mod page_cache;
pub mod plan;
pub mod profiling;
pub mod protocol;
pub mod quality;
pub mod routes;
pub mod runner;
pub mod sheets;
pub mod steady;
pub mod suite;
pub mod timed;
pub mod worker;
pub mod workload;
