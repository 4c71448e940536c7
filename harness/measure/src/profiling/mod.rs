//! Profiling: cells measured by turns in one process, with the profile and without it, between measurements of their roofs.
//! What is found is analysed elsewhere (`yardstick_analyse::profile`) and never stored as a result.

mod first_use;
mod fits;
mod requests;
mod roofs;
#[cfg(test)]
mod tests;
mod turns;

pub use first_use::{Faults, FirstUse, first_use};
pub use fits::{Filled, Fit, Stop, deepest, fill};
pub use requests::{REQUEST_POSITIONS, requests};
pub use roofs::{At, measure_read, measure_roofs, pass_bytes};
pub use turns::{Asked, Member, Moment, Taken, open, take_turns};
