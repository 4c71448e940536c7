//! Sides from revisions: checked out into one folder and built there, once for the same inputs.

mod cargo;
mod depinfo;
mod git;
mod inputs;
mod kept;
mod revisions;
#[cfg(test)]
mod tests;
mod tree;

pub use revisions::{Built, Recipe, Revisions};
