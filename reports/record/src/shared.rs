//! Shared: a record that left its machine, as a record of its own that names the one it was made from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a shared record was made from. Whoever reads it has its word for it: it is self-reported until measured again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// Id of the record it was made from.
    pub original: String,
    /// What was left in it.
    pub profile: Profile,
}

/// How much of a record is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Without what names a person, a machine or a place: names, paths, addresses, serial numbers, the time of day.
    Public,
    /// All of it.
    Full,
}

impl Profile {
    /// `public`, `full`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Public => "public",
            Profile::Full => "full",
        }
    }
}
