//! The metadata of a preset's file: in llama.cpp's words everything a GGUF reader needs, in ours where the weights come from.

use super::Error;
use super::per_layer::PerLayer;
use super::recipe::{Recipe, RecipeError};
use crate::arch::{Family, NormKind};
use crate::gguf::Header;
use crate::quantize::Mix;

/// Everything.
pub(super) fn set(header: &mut Header, recipe: &Recipe, mix: Mix) -> Result<(), Error> {
    let wrong = |problem| RecipeError { preset: recipe.name.clone(), problem };
    let family = recipe.family().map_err(wrong)?;
    header.set("general.architecture", family.name);
    header.set("general.type", "model");
    header.set("general.name", recipe.name.as_str());
    let description = format!(
        "random weights, seed {}: the shape of a model without its knowledge, for measuring speed and memory",
        recipe.seed
    );
    header.set("general.description", description);
    set_quantisation(header, mix);
    set_shape(header, recipe, family);
    // Token ids only: llama.cpp makes `vocab_size` dummy tokens of this.
    header.set("tokenizer.ggml.model", "no_vocab");
    header.set("yardstick.preset", recipe.name.as_str());
    header.set("yardstick.recipe_sha256", recipe.sha256());
    Ok(())
}

/// What a quantisation changes.
pub(super) fn set_quantisation(header: &mut Header, mix: Mix) {
    header.set("general.file_type", mix.file_type());
    header.set("general.quantization_version", 2_u32);
}

/// What the description of the network is read from.
pub(super) fn set_shape(header: &mut Header, recipe: &Recipe, family: &Family) {
    header.set("general.architecture", family.name);
    let key = |suffix: &str| format!("{}.{suffix}", family.name);
    let mut set = |suffix: &str, value: &PerLayer| match value {
        PerLayer::All(value) => header.set(&key(suffix), *value),
        PerLayer::Each(values) => header.set_array(&key(suffix), values),
    };
    let mut one = |suffix: &str, value: u32| set(suffix, &PerLayer::All(value));
    one("vocab_size", recipe.vocab);
    one("context_length", recipe.context);
    one("embedding_length", recipe.embedding);
    one("block_count", recipe.layers);
    set("feed_forward_length", &recipe.ffn);
    set("attention.head_count", &recipe.heads);
    set("attention.head_count_kv", &recipe.kv_heads);
    let mut one = |suffix: &str, value: u32| set(suffix, &PerLayer::All(value));
    one("attention.key_length", recipe.head_dim);
    one("attention.value_length", recipe.head_dim);
    if family.rotary.is_some() {
        one("rope.dimension_count", recipe.rope_dims.unwrap_or(recipe.head_dim));
    }
    let later = [
        ("attention.sliding_window", recipe.window),
        ("expert_count", recipe.experts),
        ("expert_used_count", recipe.experts_used),
    ];
    for (suffix, value) in later {
        value.into_iter().for_each(|value| one(suffix, value));
    }
    let eps = match family.norm {
        NormKind::Rms => "attention.layer_norm_rms_epsilon",
        NormKind::Layer => "attention.layer_norm_epsilon",
    };
    let floats = [
        (eps, Some(recipe.norm_eps)),
        ("rope.freq_base", recipe.rope_base),
        ("attn_logit_softcapping", recipe.score_softcap),
        ("final_logit_softcapping", recipe.logit_softcap),
    ];
    for (suffix, value) in floats {
        value.into_iter().for_each(|value| header.set(&key(suffix), value));
    }
}
