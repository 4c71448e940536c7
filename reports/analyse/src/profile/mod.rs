//! Profiles: operations against measured roofs, where a token's time goes, and why two cells differ. Pure functions of what was
//! measured; nothing here runs anything.

mod change;
mod counted;
mod held;
mod ledger;
mod limb;
mod measured;
mod pass;
mod resampled;
mod split;

pub use counted::{Agreement, Counted, Tally};
pub use held::{Bound, Held, held};
pub use ledger::{Backed, Cause, Ledger, Side as LedgerSide, Term, why};
pub use measured::{Counter, Profiled, Roof, Roofs, Round, Sustained};
pub use pass::{Operation, Pass};
pub use split::{Part, Share, Split, split};
