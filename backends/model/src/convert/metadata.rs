//! config.json in GGUF's words.

use super::config::{Config, shown};
use super::families::{SOURCES, Source};
use super::rope::{self, Factors};
use crate::Error;
use crate::gguf::{Header, quote};

/// What was read beside the keys that were set.
pub(super) struct Shape {
    pub(super) layers: u32,
    pub(super) head_dim: u32,
    pub(super) factors: Factors,
    /// config.json's numbers, for messages.
    pub(super) words: String,
}

/// The row of a checkpoint's `model_type`.
pub(super) fn source(config: &Config) -> Result<&'static Source, Error> {
    let known = || SOURCES.iter().map(|s| s.model_type).collect::<Vec<_>>().join(", ");
    let Some(found) = config.text("model_type")? else {
        return Err(config.invalid("model_type", "no such key", format!("one of {}", known())));
    };
    SOURCES
        .iter()
        .find(|source| source.model_type == found)
        .ok_or_else(|| config.unsupported(format!("model_type {}", quote(found)), known()))
}

/// Sets everything an architecture is read from.
pub(super) fn set(header: &mut Header, source: &Source, config: &Config) -> Result<Shape, Error> {
    check_fixed(source, config)?;
    let numbers = Numbers { source, config };
    header.set("general.architecture", source.architecture);
    let key = |suffix: &str| format!("{}.{suffix}", source.architecture);
    let vocab = config.required("vocab_size")?;
    let embedding = numbers.required(&["hidden_size", "n_embd", "model_dim"])?;
    let layers = numbers.required(&["num_hidden_layers", "n_layer", "num_transformer_layers"])?;
    let context = numbers.first(&[
        "max_position_embeddings",
        "n_positions",
        "rope_max_length",
        "max_context_length",
    ])?;
    header.set(&key("vocab_size"), vocab);
    header.set(&key("context_length"), context.unwrap_or(2048));
    header.set(&key("embedding_length"), embedding);
    header.set(&key("block_count"), layers);
    let heads = if source.architecture == "openelm" {
        super::metadata_openelm::set(header, config, embedding, layers)?
    } else {
        numbers.heads(header, embedding)?
    };
    let head_dim = match numbers.first(&["head_dim"])? {
        Some(dim) => dim,
        // The reader of the metadata says when it does not divide.
        None => embedding.checked_div(heads).unwrap_or(0),
    };
    header.set(&key("attention.key_length"), head_dim);
    header.set(&key("attention.value_length"), head_dim);
    numbers.floats(header)?;
    numbers.window(header)?;
    numbers.layer_types(header, layers)?;
    numbers.attention_scale(layers, embedding, heads, head_dim)?;
    let factors = match source.architecture {
        "gpt2" => Factors::default(),
        _ => rope::set(header, source, config, head_dim)?,
    };
    let words = format!(
        "{embedding} wide, {layers} layers, {heads} heads {head_dim} wide, vocabulary {vocab}"
    );
    Ok(Shape { layers, head_dim, factors, words })
}

/// Keys with values that no forward pass here has.
fn check_fixed(source: &Source, config: &Config) -> Result<(), Error> {
    for (key, only) in source.fixed {
        let is_other = |value: &&serde_json::Value| {
            let text = value.to_string();
            text != *only
        };
        if let Some(value) = config.value(key).filter(is_other) {
            let what = format!("{key} = {} in a {}", shown(value), source.model_type);
            return Err(config.unsupported(what, *only));
        }
    }
    let (key, names) = source.activation;
    let found = match config.text(key)? {
        Some(found) => Some(found),
        None if key == "hidden_activation" => config.text("hidden_act")?,
        None => None,
    };
    if let Some(found) = found.filter(|found| !names.contains(found)) {
        let what = format!("{key} {} in a {}", quote(found), source.model_type);
        return Err(config.unsupported(what, names.join(", ")));
    }
    if let Some(clip) = config.value("clip_qkv") {
        return Err(config.unsupported(format!("clip_qkv = {}", shown(clip)), "null"));
    }
    config.scheme().map(|_| ())
}

struct Numbers<'a> {
    source: &'a Source,
    config: &'a Config,
}

impl Numbers<'_> {
    fn first(&self, names: &[&'static str]) -> Result<Option<u32>, Error> {
        self.config.first(names).map_or(Ok(None), |name| self.config.unsigned(name))
    }

    fn required(&self, names: &[&'static str]) -> Result<u32, Error> {
        self.first(names)?.ok_or_else(|| {
            let name = names.first().copied().unwrap_or_default();
            self.config.invalid(name, "no such key", "a whole number")
        })
    }

    /// Heads, feed-forward width and experts; the heads come back.
    fn heads(&self, header: &mut Header, embedding: u32) -> Result<u32, Error> {
        let key = |suffix: &str| format!("{}.{suffix}", self.source.architecture);
        let heads = self.required(&["num_attention_heads", "n_head"])?;
        let kv_heads = self.first(&["num_key_value_heads"])?.unwrap_or(heads);
        let width = match self.first(&["intermediate_size", "n_inner"])? {
            Some(width) => width,
            None if self.source.model_type == "gpt2" => embedding.saturating_mul(4),
            None => self.required(&["intermediate_size"])?,
        };
        header.set(&key("attention.head_count"), heads);
        header.set(&key("attention.head_count_kv"), kv_heads);
        header.set(&key("feed_forward_length"), width);
        if matches!(self.source.model_type, "mixtral" | "qwen3_moe" | "olmoe") {
            header.set(&key("expert_count"), self.required(&["num_local_experts", "num_experts"])?);
            header.set(&key("expert_used_count"), self.required(&["num_experts_per_tok"])?);
        }
        if let Some(width) = self.first(&["moe_intermediate_size"])? {
            header.set(&key("expert_feed_forward_length"), width);
        }
        Ok(heads)
    }

    /// Epsilons, scales, soft caps.
    fn floats(&self, header: &mut Header) -> Result<(), Error> {
        let arch = self.source.architecture;
        let eps = ["rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"];
        let eps = match self.config.first(&eps) {
            Some(name) => self.config.float(name)?,
            // OpenELM's code has it, its config.json does not.
            None if arch == "openelm" => Some(1e-6),
            None => None,
        };
        let eps = eps.ok_or_else(|| {
            self.config.invalid("rms_norm_eps", "no such key", "a small positive number")
        })?;
        let kind = if matches!(arch, "stablelm" | "gpt2") { "" } else { "_rms" };
        header.set(&format!("{arch}.attention.layer_norm{kind}_epsilon"), eps as f32);
        let pairs: &[(&str, &str)] = match arch {
            "granite" => &[
                ("embedding_multiplier", "embedding_scale"),
                ("residual_multiplier", "residual_scale"),
                ("attention_multiplier", "attention.scale"),
                ("logits_scaling", "logit_scale"),
            ],
            "gemma2" | "gemma3" => &[
                ("attn_logit_softcapping", "attn_logit_softcapping"),
                ("final_logit_softcapping", "final_logit_softcapping"),
            ],
            _ => &[],
        };
        for (from, to) in pairs {
            let value = match self.config.float(from)? {
                Some(value) => value,
                // Null takes the cap off where the family has one.
                None if arch == "gemma2" && self.config.has(from) => 0.0,
                None => continue,
            };
            header.set(&format!("{arch}.{to}"), value as f32);
        }
        Ok(())
    }

    fn window(&self, header: &mut Header) -> Result<(), Error> {
        // Qwen's stands there and is switched off by another key, which was checked.
        if matches!(self.source.architecture, "qwen2" | "qwen3" | "qwen3moe" | "smollm3") {
            return Ok(());
        }
        let stated = self.config.unsigned("sliding_window")?;
        let absent = self.source.window.filter(|_| !self.config.has("sliding_window"));
        if let Some(window) = stated.or(absent) {
            let key = format!("{}.attention.sliding_window", self.source.architecture);
            header.set(&key, window);
        }
        Ok(())
    }

    /// Which layers have a window or do not turn is the family's pattern, or an error.
    fn layer_types(&self, header: &mut Header, layers: u32) -> Result<(), Error> {
        let arch = self.source.architecture;
        if arch == "smollm3" {
            return self.still_layers(layers);
        }
        let period = match arch {
            "gemma2" => 2,
            "gemma3" => 6,
            _ => return Ok(()),
        };
        let stated = self.config.list("layer_types", "a list of texts", |v| {
            v.as_str().map(|kind| kind == "sliding_attention")
        })?;
        let other = self.first(&["sliding_window_pattern", "_sliding_window_pattern"])?;
        let period_of = |n: u32| (0..layers).map(move |i| n == 0 || i % n < n - 1);
        let pattern: Vec<bool> = match stated {
            Some(list) if list.len() == layers as usize => list,
            Some(list) => {
                let (found, wanted) =
                    (format!("{} layers", list.len()), format!("{layers}, num_hidden_layers"));
                return Err(self.config.invalid("layer_types", found, wanted));
            }
            None if layers > MOST_LAYERS => return Ok(()),
            None => period_of(other.unwrap_or(period)).collect(),
        };
        if !pattern.iter().copied().eq(period_of(period)) {
            header.set_array(&format!("{arch}.attention.sliding_window_pattern"), &pattern);
        }
        Ok(())
    }

    /// SmolLM3 does not turn every fourth layer; another pattern has no key in GGUF.
    fn still_layers(&self, layers: u32) -> Result<(), Error> {
        let turns = self.config.list("no_rope_layers", "a list of 0 and 1", |v| v.as_u64())?;
        let Some(turns) = turns else { return Ok(()) };
        let every_fourth = (1..=u64::from(layers)).map(|i| u64::from(i % 4 != 0));
        if turns.iter().copied().eq(every_fourth) {
            return Ok(());
        }
        let what = "no_rope_layers other than every fourth".to_owned();
        Err(self.config.unsupported(what, "1, 1, 1, 0 repeated, one a layer"))
    }

    /// Gemma states what scores are divided by the root of; GGUF has no key for it.
    fn attention_scale(
        &self,
        layers: u32,
        embedding: u32,
        heads: u32,
        head_dim: u32,
    ) -> Result<(), Error> {
        let Some(scalar) = self.config.float("query_pre_attn_scalar")? else { return Ok(()) };
        let shared = match self.source.architecture {
            "gemma2" => layers == 46,
            "gemma3" => layers == 62,
            _ => return Ok(()),
        };
        let width = if shared { embedding.checked_div(heads).unwrap_or(0) } else { head_dim };
        if scalar == f64::from(width) {
            return Ok(());
        }
        let what = format!("query_pre_attn_scalar = {scalar} with {layers} layers");
        Err(self.config.unsupported(what, width.to_string()))
    }
}

/// More than any model has; a list of them is never made from a number alone.
const MOST_LAYERS: u32 = 1 << 12;
