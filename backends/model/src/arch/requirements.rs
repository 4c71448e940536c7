//! What a forward pass must be able to do for a model: the words in which backends say what they lack.

use std::fmt;

use super::{Activation, Architecture, Factors, Gate, Layer, NormKind, QkNorm, RotaryStyle};

/// One thing a forward pass must be able to do, beyond the plainest llama: RMS norms before each block, separate
/// projections, a gate by SiLU, grouped heads, and rotary embeddings without factors that turn whole heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Requirement {
    /// Rotary pairs of neighbours.
    RotaryNeighbours,
    /// Rotary pairs of halves.
    RotaryHalves,
    /// Part of a head does not turn.
    PartialRotary,
    /// Divisors of the frequencies from a tensor.
    RotaryFactors,
    /// Long or short divisors by the session's context.
    RotaryFactorsByContext,
    /// Cosines and sines with a factor.
    RotaryMagnitude,
    /// Several rotary embeddings in one model.
    SeveralRotaries,
    /// Layers that do not turn.
    LayersWithoutRotary,
    /// Learned positions.
    LearnedPositions,
    /// Layer norms with bias.
    LayerNorm,
    /// Norms behind the blocks.
    PostNorms,
    /// A norm of each head of queries and keys.
    HeadNorm,
    /// A norm of each head with weights of its own.
    EachHeadNorm,
    /// A norm of all heads of queries and of keys.
    WholeNorm,
    /// Biases of Q, K and V.
    QkvBias,
    /// Biases of other products.
    OtherBias,
    /// One tensor for Q, K and V.
    FusedQkv,
    /// One tensor for gate and up.
    FusedGate,
    /// A feed-forward block without gate.
    PlainFfn,
    /// GELU.
    Gelu,
    /// A mixture of experts.
    Experts,
    /// Weights of experts that are not normalised, or scaled.
    ExpertWeights,
    /// An expert every token passes.
    SharedExpert,
    /// A sliding window.
    Window,
    /// Soft caps of scores.
    ScoreSoftcap,
    /// Soft caps of logits.
    LogitSoftcap,
    /// Scales of embedding, blocks, scores or logits, or of queries by position.
    Scales,
    /// Both blocks read the same input.
    ParallelBlocks,
    /// Layers differ in heads or widths.
    UnequalLayers,
    /// Heads of values as wide as those of keys are not enough.
    UnequalHeads,
}

/// What a message calls each.
const WORDS: &[(Requirement, &str)] = &[
    (Requirement::RotaryNeighbours, "rotary pairs of neighbours"),
    (Requirement::RotaryHalves, "rotary pairs of halves"),
    (Requirement::PartialRotary, "heads that turn in part"),
    (Requirement::RotaryFactors, "rotary factors"),
    (Requirement::RotaryFactorsByContext, "long and short rotary factors"),
    (Requirement::RotaryMagnitude, "rotary magnitudes"),
    (Requirement::SeveralRotaries, "two rotary bases"),
    (Requirement::LayersWithoutRotary, "layers without rotary embedding"),
    (Requirement::LearnedPositions, "learned positions"),
    (Requirement::LayerNorm, "layer norms"),
    (Requirement::PostNorms, "norms behind the blocks"),
    (Requirement::HeadNorm, "norms of query and key heads"),
    (Requirement::EachHeadNorm, "norms with weights per head"),
    (Requirement::WholeNorm, "norms of all query and key heads together"),
    (Requirement::QkvBias, "biases of q, k and v"),
    (Requirement::OtherBias, "biases of other products"),
    (Requirement::FusedQkv, "fused q, k and v"),
    (Requirement::FusedGate, "fused gate and up"),
    (Requirement::PlainFfn, "feed-forward blocks without gate"),
    (Requirement::Gelu, "GELU"),
    (Requirement::Experts, "mixtures of experts"),
    (Requirement::ExpertWeights, "expert weights that are not normalised"),
    (Requirement::SharedExpert, "shared experts"),
    (Requirement::Window, "sliding windows"),
    (Requirement::ScoreSoftcap, "soft caps of scores"),
    (Requirement::LogitSoftcap, "soft caps of logits"),
    (Requirement::Scales, "scales of embedding, blocks, scores or logits"),
    (Requirement::ParallelBlocks, "parallel blocks"),
    (Requirement::UnequalLayers, "layers of different shapes"),
    (Requirement::UnequalHeads, "value heads unlike key heads"),
];

impl Requirement {
    /// Every one, for backends that can do all.
    pub fn all() -> impl Iterator<Item = Requirement> {
        WORDS.iter().map(|row| row.0)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WORDS.iter().find(|row| row.0 == *self).map_or("?", |row| row.1))
    }
}

impl Architecture {
    /// Everything a forward pass of this model must be able to do, each once, in the order of [`Requirement`].
    pub fn requirements(&self) -> Vec<Requirement> {
        let mut found = self.of_model();
        found.extend(self.layers.iter().flat_map(|layer| self.of_layer(layer)));
        found.sort();
        found.dedup();
        found
    }

    /// What of it is not among what a backend can do, in words; `None`: nothing.
    /// For `plan`: `architecture gemma2 needs soft caps of scores`.
    pub fn missing(&self, supported: &[Requirement]) -> Option<String> {
        let missing: Vec<String> = self
            .requirements()
            .iter()
            .filter(|needed| !supported.contains(needed))
            .map(ToString::to_string)
            .collect();
        (!missing.is_empty())
            .then(|| format!("architecture {} needs {}", self.name, missing.join(", ")))
    }

    fn of_model(&self) -> Vec<Requirement> {
        use Requirement as R;
        let scaled = [self.embedding_scale, self.residual_scale, self.logit_scale] != [1.0; 3];
        let unequal = self.layers.windows(2).any(|pair| {
            pair[0].qkv_rows() != pair[1].qkv_rows() || pair[0].ffn.width != pair[1].ffn.width
        });
        let still =
            !self.rotary.is_empty() && self.layers.iter().any(|layer| layer.rotary.is_none());
        when(&[
            (self.norm.kind == NormKind::Layer, R::LayerNorm),
            (self.positions.is_some(), R::LearnedPositions),
            (self.rotary.len() > 1, R::SeveralRotaries),
            (still || self.rotary.is_empty() && self.positions.is_none(), R::LayersWithoutRotary),
            (self.logit_softcap.is_some(), R::LogitSoftcap),
            (scaled || self.temperature.is_some(), R::Scales),
            (self.head_bias, R::OtherBias),
            (unequal, R::UnequalLayers),
        ])
    }

    fn of_layer(&self, layer: &Layer) -> Vec<Requirement> {
        use Requirement as R;
        let (ffn, rotary) = (&layer.ffn, layer.rotary.and_then(|i| self.rotary.get(i)));
        let style = |style| rotary.is_some_and(|r| r.style == style);
        let experts = ffn.experts;
        let plain_scale = (1.0 / (layer.key_dim as f64).sqrt()) as f32;
        when(&[
            (style(RotaryStyle::Interleaved), R::RotaryNeighbours),
            (style(RotaryStyle::Halves), R::RotaryHalves),
            (rotary.is_some_and(|r| r.dims != layer.key_dim), R::PartialRotary),
            (rotary.is_some_and(|r| matches!(r.factors, Factors::Fixed(_))), R::RotaryFactors),
            (
                rotary.is_some_and(|r| matches!(r.factors, Factors::ByContext { .. })),
                R::RotaryFactorsByContext,
            ),
            (rotary.is_some_and(|r| r.magnitude != 1.0), R::RotaryMagnitude),
            (layer.post_norms, R::PostNorms),
            (layer.qk_norm == Some(QkNorm::Head), R::HeadNorm),
            (layer.qk_norm == Some(QkNorm::EachHead), R::EachHeadNorm),
            (layer.qk_norm == Some(QkNorm::Whole), R::WholeNorm),
            (layer.qkv_bias, R::QkvBias),
            (layer.output_bias || ffn.gate_bias || ffn.up_bias || ffn.down_bias, R::OtherBias),
            (layer.fused_qkv, R::FusedQkv),
            (ffn.gate == Gate::Fused, R::FusedGate),
            (ffn.gate == Gate::None, R::PlainFfn),
            (ffn.activation == Activation::Gelu, R::Gelu),
            (experts.is_some(), R::Experts),
            (experts.is_some_and(|e| !e.normalised || e.scale != 1.0), R::ExpertWeights),
            (experts.is_some_and(|e| e.shared.is_some()), R::SharedExpert),
            (layer.window.is_some(), R::Window),
            (layer.softcap.is_some(), R::ScoreSoftcap),
            (layer.attention_scale != plain_scale, R::Scales),
            (layer.parallel, R::ParallelBlocks),
            (layer.key_dim != layer.value_dim, R::UnequalHeads),
        ])
    }
}

/// Those whose condition holds.
fn when(rows: &[(bool, Requirement)]) -> Vec<Requirement> {
    rows.iter().filter(|row| row.0).map(|row| row.1).collect()
}
