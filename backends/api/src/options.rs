//! Options: everything decided when a model is loaded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::WeightScheme;

/// Everything decided at load. `None` leaves the choice to the backend, whose facts then say what it chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Worker threads; `None` is every usable core.
    pub threads: Option<usize>,
    /// Positions each sequence can hold; `None` lets the harness size it for the test.
    pub context: Option<usize>,
    /// Sequences resident at once.
    pub sequences: usize,
    /// Tokens computed together in prefill; longer spans are cut into chunks of this.
    pub chunk: usize,
    /// Storage of keys and values.
    pub kv: KvType,
    /// The context by which long or short rotary factors are chosen; `None`: `context`, as anyone would. For the
    /// reference, which answers for devices loaded with a longer context than it needs itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotary_context: Option<usize>,
    /// Numerics class asked for; `None` is the device's default.
    pub numerics: Option<Numerics>,
    /// Weights rounded anew before anything is computed; `None`: as they are in the file. Answers are held to these weights, while
    /// those of `Numerics::Requantised` are held to the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightScheme>,
    /// Weights may be re-laid in memory for speed.
    pub repack: bool,
    /// Record per-operation times (never in headline runs).
    pub profile: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads: None,
            context: None,
            sequences: 1,
            chunk: 512,
            kv: KvType::F16,
            rotary_context: None,
            numerics: None,
            weights: None,
            repack: true,
            profile: false,
        }
    }
}

/// Storage of keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(non_camel_case_types, reason = "the field writes the names this way")]
pub enum KvType {
    /// 4 bytes an element.
    F32,
    /// 2 bytes an element.
    F16,
    /// 34 bytes per 32 elements of a head: 8 bits each and a scale in f16, GGUF's Q8_0.
    Q8_0,
}

impl KvType {
    /// Every one, most exact first.
    pub const ALL: [KvType; 3] = [KvType::F32, KvType::F16, KvType::Q8_0];

    /// Elements that are stored together; the width of a head must be a multiple.
    pub fn block_len(self) -> usize {
        self.block().0
    }

    /// Bytes of so many elements, in whole blocks.
    pub fn bytes_of(self, elements: u64) -> u64 {
        let (length, bytes) = self.block();
        elements.div_ceil(length as u64).saturating_mul(bytes)
    }

    /// The name used in suites and tables.
    pub fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
        }
    }

    /// Elements and bytes of a block.
    fn block(self) -> (usize, u64) {
        match self {
            KvType::F32 => (1, 4),
            KvType::F16 => (1, 2),
            KvType::Q8_0 => (32, 34),
        }
    }
}

/// The arithmetic a device declares; it sets how far its answers may stray (DESIGN rule 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Numerics {
    /// Weights decoded to f32, f32 arithmetic.
    F32,
    /// Some arithmetic or storage in f16.
    F16,
    /// Some arithmetic in bf16.
    Bf16,
    /// Activations quantised to 8 bits, as llama.cpp does.
    A8,
    /// Weights requantised to 8 bits under coarser scales on their way into products of many columns, and activations in
    /// 8 bits. Held to the limit of `a8` against the file's own weights, so that what requantising costs counts too.
    Requantised,
}

impl Numerics {
    /// Largest normalised mean squared error of the logits against the decoded weights in f32.
    pub fn nmse_limit(self) -> f64 {
        match self {
            Numerics::F32 => 1e-6,
            Numerics::F16 => 1e-4,
            Numerics::Bf16 => 1e-3,
            Numerics::A8 | Numerics::Requantised => 3e-3,
        }
    }

    /// The class that covers this arithmetic together with this KV storage: an f16 cache makes f32 arithmetic f16,
    /// one in 8 bits is as coarse as activations in 8 bits.
    pub fn with_kv(self, kv: KvType) -> Numerics {
        match (self, kv) {
            (Numerics::F32, KvType::F16) => Numerics::F16,
            (Numerics::Requantised, _) => Numerics::Requantised,
            (_, KvType::Q8_0) => Numerics::A8,
            _ => self,
        }
    }
}
