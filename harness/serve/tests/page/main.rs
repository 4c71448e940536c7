//! The page as a client meets it: over a socket, with a store of its own.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "../../../../reports/analyse/tests/build/mod.rs"]
mod build;
mod client;
mod hostile;
mod limits;
mod pages;
mod safety;
mod uploads;
