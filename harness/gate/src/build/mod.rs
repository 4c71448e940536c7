//! Sides from revisions: checked out into one folder and built there, once a commit.

mod cargo;
mod git;
mod revisions;

pub use revisions::{Built, Recipe, Revisions};
