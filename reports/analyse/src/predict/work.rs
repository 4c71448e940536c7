//! What a test takes of a device, counted from the model alone: weight bytes, operations, keys and values, layers.

use std::collections::BTreeMap;

use serde::Serialize;
use yardstick_api::{KvType, Options};
use yardstick_model::arch::Layer;
use yardstick_model::{Format, Layout, ModelInfo};
use yardstick_record::Test;

/// The two kinds of work, which share no costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// `tg`: a token of each sequence a pass over the weights.
    Decode,
    /// `pp`: a chunk of tokens a pass.
    Prefill,
}

impl Phase {
    /// The phase of a test whose result is a speed.
    pub fn of(test: Test) -> Option<Phase> {
        match test {
            Test::Generate { .. } => Some(Phase::Decode),
            Test::Prefill { .. } => Some(Phase::Prefill),
            _ => None,
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Decode => "decode",
            Phase::Prefill => "prefill",
        }
    }
}

/// What one repetition of a test takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    pub(crate) phase: Phase,
    /// Tokens its speed counts, of all sequences.
    pub(crate) tokens: f64,
    /// Passes over the weights.
    pub(crate) passes: f64,
    /// Weight bytes a pass reads, by how they are stored.
    pub(crate) bytes: BTreeMap<Layout, f64>,
    /// Operations of all weights that are stored alike, over all tokens (prefill).
    pub(crate) operations: BTreeMap<Layout, f64>,
    /// Bytes of all tensors, and of the keys and values of all positions that are held in the end.
    pub(crate) held_bytes: f64,
    /// Bytes of keys and values read in all.
    pub(crate) kv_bytes: f64,
    /// Operations of the attention in all.
    pub(crate) attention: f64,
    /// Layers.
    pub(crate) layers: f64,
    /// Sequences.
    pub(crate) sequences: f64,
    /// Positions held before.
    pub(crate) depth: f64,
}

impl Work {
    /// `None` where the test's result is no speed.
    pub(crate) fn of(info: &ModelInfo, test: Test, options: &Options) -> Option<Work> {
        let phase = Phase::of(test)?;
        let (each, depth) = (test.tokens()?, test.depth());
        let (sequences, architecture) = (options.sequences as f64, &info.architecture);
        let tokens = each as f64 * sequences;
        let passes = match phase {
            Phase::Decode => each as f64,
            Phase::Prefill => (tokens / options.chunk.max(1) as f64).ceil(),
        };
        let kv = kv_bytes_a_position(info, options.kv);
        // A prefill computes the head for the last row only.
        let heads = if phase == Phase::Decode { tokens } else { sequences };
        let mut operations = weights(&info.streamed.layers, tokens);
        for (layout, more) in weights(&info.streamed.head, heads) {
            *operations.entry(layout).or_insert(0.0) += more;
        }
        let parts = info.streamed.layers.iter().chain(&info.streamed.head);
        let mut bytes = BTreeMap::new();
        for (layout, part) in parts {
            *bytes.entry(*layout).or_insert(0.0) += *part as f64;
        }
        Some(Work {
            phase,
            tokens,
            passes,
            bytes,
            operations,
            held_bytes: info.tensor_bytes as f64
                + kv * (test.positions() * options.sequences) as f64,
            kv_bytes: tokens * kv * architecture.positions_read(each, depth),
            attention: tokens * architecture.attention_operations(each, depth),
            layers: architecture.layers.len() as f64,
            sequences,
            depth: depth as f64,
        })
    }

    /// Weight bytes of one pass.
    pub(crate) fn weight_bytes(&self) -> f64 {
        self.bytes.values().sum()
    }

    /// Bytes that one pass reads: what the read bandwidth depends on.
    pub(crate) fn working_set(&self) -> f64 {
        self.weight_bytes() + self.kv_bytes / self.passes
    }

    /// Formats that hold at least a tenth of the weights.
    pub(crate) fn formats(&self) -> impl Iterator<Item = Format> {
        const LEAST_SHARE: f64 = 0.1;
        let least = LEAST_SHARE * self.weight_bytes();
        let mut formats: BTreeMap<Format, f64> = BTreeMap::new();
        for (layout, bytes) in &self.bytes {
            *formats.entry(layout.format).or_insert(0.0) += bytes;
        }
        formats.into_iter().filter(move |(_, bytes)| *bytes >= least).map(|(format, _)| format)
    }
}

/// Bytes of the keys and values of one position of one sequence.
pub(crate) fn kv_bytes_a_position(info: &ModelInfo, kv: KvType) -> f64 {
    let width = |layer: &Layer| (layer.kv_heads * (layer.key_dim + layer.value_dim)) as u64;
    info.architecture.layers.iter().map(|layer| kv.bytes_of(width(layer))).sum::<u64>() as f64
}

/// A multiplication and an addition for every weight and row.
fn weights(bytes: &BTreeMap<Layout, u64>, rows: f64) -> BTreeMap<Layout, f64> {
    let count = |format: Format, bytes: u64| {
        bytes as f64 * format.block_len() as f64 / format.block_bytes() as f64
    };
    let of =
        |(layout, bytes): (&Layout, &u64)| (*layout, 2.0 * rows * count(layout.format, *bytes));
    bytes.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use yardstick_model::preset::{self, PresetRef};

    use super::*;

    fn work(model: &str, test: &str, sequences: usize) -> Work {
        let info = preset::info(&PresetRef::parse(model).unwrap()).unwrap();
        let options = Options { sequences, ..Options::default() };
        Work::of(&info, test.parse().unwrap(), &options).unwrap()
    }

    #[test]
    fn a_prefill_has_the_operations_its_limit_is_made_of() {
        let info = preset::info(&PresetRef::parse("llama-3.2-1b:F16").unwrap()).unwrap();
        let counted = work("llama-3.2-1b:F16", "pp512@d64", 1);
        let all = counted.operations.values().sum::<f64>() + counted.attention;
        let limit = 512.0 * info.architecture.operations_per_token(512, 64);
        // Norms are counted here and not there.
        assert!((all / limit - 1.0).abs() < 1e-3, "{all} {limit}");
    }

    #[test]
    fn sequences_share_the_weights_and_not_the_keys() {
        let (one, four) = (work("tiny:Q4_0", "tg8@d100", 1), work("tiny:Q4_0", "tg8@d100", 4));
        assert_eq!((one.passes, four.passes, four.tokens), (8.0, 8.0, 32.0));
        assert_eq!((one.bytes, 4.0 * one.kv_bytes), (four.bytes, four.kv_bytes));
    }

    #[test]
    fn a_chunk_is_a_pass_and_only_speeds_are_work() {
        let passes = |test| work("tiny:Q4_0", test, 1).passes;
        assert_eq!((passes("pp512"), passes("pp513"), passes("pp1")), (1.0, 2.0, 1.0));
        let info = preset::info(&PresetRef::parse("tiny:Q4_0").unwrap()).unwrap();
        assert_eq!(Work::of(&info, "ttft".parse().unwrap(), &Options::default()), None);
    }
}
