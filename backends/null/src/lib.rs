//! The null backend: answers made up by a rule, at no cost. It shows the harness's own cost, stands in for a device in
//! tests, and is a template for new backends: `backend.rs` knows devices, `session.rs` is a model resident on one.
//!
//! Its answers are right by its own rule only, so it cannot agree with the reference; it is its own oracle:
//! [`yardstick_api::verify::expect`] on a `null:ok` session gives what `null:ok` must answer.
//!
//! [`Null::new`] offers `null:ok` alone. [`Null::misbehaving`] also offers the devices that crash, hang and lie
//! (see `misbehave.rs`): for tests only, behind a switch that no user meets by accident.
#![forbid(unsafe_code)]

mod answers;
mod backend;
mod misbehave;
mod session;

pub use answers::logits;
pub use backend::Null;
