//! What GPU kernels are compiled to, as a program lists it for the gate: one JSON object on standard output. No GPU takes part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Known;

/// The version spoken here.
pub const VERSION: u32 = 1;

/// Everything a program compiled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// [`VERSION`].
    pub compiled: u32,
    /// By what, or why by nothing.
    pub compiler: Known<String>,
    /// A kernel for a target, each once.
    pub kernels: Vec<Kernel>,
}

/// One kernel for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// With the variant: `project FORMAT=Q4_K ROWS=1`.
    pub name: String,
    /// The architecture: `sm_90`.
    pub target: String,
    /// Threads of a block.
    pub threads: u64,
    /// Registers of a thread.
    pub registers: u64,
    /// Bytes a thread stores because registers ran out.
    pub spilled_bytes: u64,
    /// Local memory of a thread, bytes: spills, and arrays that are indexed at run time.
    pub local_bytes: u64,
    /// Shared memory of a block, bytes, without what a launch adds.
    pub shared_bytes: u64,
    /// Instructions of the machine code.
    pub instructions: Known<u64>,
    /// Instructions by class, as they stand in the code before the assembler, not as often as they run.
    pub mix: Known<BTreeMap<String, u64>>,
}
