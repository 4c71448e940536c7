//! Facts: what really ran, as opposed to what was asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Known, KvType, Numerics};

/// What really ran. Everything here is effective, not requested; an unknown fact says why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// The device that ran, an id like the one asked for.
    pub device: String,
    /// Instruction set or shader variant chosen.
    pub isa: Known<String>,
    /// Processor or adapter name as the driver tells it.
    pub adapter: Known<String>,
    /// Driver and its version.
    pub driver: Known<String>,
    /// Threads that computed.
    pub threads: Known<usize>,
    /// Positions each sequence can hold.
    pub context: usize,
    /// Sequences resident.
    pub sequences: usize,
    /// Tokens computed together in prefill.
    pub chunk: usize,
    /// Storage of keys and values.
    pub kv: KvType,
    /// Numerics class of the arithmetic that ran, KV storage included.
    pub numerics: Numerics,
    /// Weights used straight from the mapped file, bytes.
    pub mapped_bytes: u64,
    /// Weights copied, decoded or re-laid into memory of our own, bytes.
    pub copied_bytes: u64,
    /// KV cache, bytes.
    pub kv_bytes: u64,
    /// Activations and other scratch, bytes.
    pub scratch_bytes: u64,
    /// Weight bytes one decode step reads.
    pub streamed_bytes: u64,
    /// Kernel that ran each weight format, `"Q4_K" -> "avx512-vnni row dot"`.
    pub kernels: BTreeMap<String, String>,
    /// Anything else worth keeping, by name.
    pub notes: BTreeMap<String, Known<String>>,
}

impl Facts {
    /// The note in which a backend that hands its work to others says who took it: `placed 100 %` and more, or `partial` and the
    /// shares. What was not run on the device that was asked for is no session but an error.
    pub const PLACEMENT: &'static str = "placement";

    /// The note that says in what the attention of a prefill multiplies, where that is not f32: [`Facts::BF16`].
    pub const ATTENTION: &'static str = "attention of a prefill";

    /// As [`Facts::ATTENTION`], of single tokens: how many rows share a key decides, and those are the query heads of a group.
    pub const DECODE_ATTENTION: &'static str = "attention of a decode";

    /// What [`Facts::ATTENTION`] says of bf16 products with f32 sums.
    pub const BF16: &'static str = "bf16";
}

/// Per-operation times of the last call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// One entry an operation, in the order they first ran.
    pub operations: Vec<OperationTime>,
}

/// Time spent in one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationTime {
    /// Name, GGUF's where there is one: `attn_q`, `ffn_down`.
    pub name: String,
    /// The layer it belongs to; `None` outside of them, or where layers are not told apart.
    #[serde(default)]
    pub layer: Option<usize>,
    /// How often it ran.
    pub calls: u64,
    /// Total time.
    pub nanoseconds: u64,
    /// Bytes it had to read from memory in all: weights and KV cache.
    #[serde(default = "untold")]
    pub bytes: Known<u64>,
    /// Multiplications and additions in all.
    #[serde(default = "untold")]
    pub operations: Known<u64>,
}

impl OperationTime {
    /// An operation of which only the time is known.
    pub fn timed(name: impl Into<String>, calls: u64, nanoseconds: u64) -> OperationTime {
        let (bytes, operations) = (untold(), untold());
        OperationTime { name: name.into(), layer: None, calls, nanoseconds, bytes, operations }
    }

    /// Adds what the same operation took another time; what is not known of one is not known of both.
    pub fn add(&mut self, other: &OperationTime) {
        self.calls = self.calls.saturating_add(other.calls);
        self.nanoseconds = self.nanoseconds.saturating_add(other.nanoseconds);
        self.bytes = both(&self.bytes, &other.bytes);
        self.operations = both(&self.operations, &other.operations);
    }
}

fn both(one: &Known<u64>, other: &Known<u64>) -> Known<u64> {
    match (one, other) {
        (Known::Value(one), Known::Value(other)) => Known::Value(one.saturating_add(*other)),
        (Known::Value(_), unknown) | (unknown, _) => unknown.clone(),
    }
}

fn untold() -> Known<u64> {
    Known::unavailable("the backend does not say")
}
