//! What a preset's file will hold: metadata, tensors with their formats, and its exact size, before a byte is written.

use super::recipe::Recipe;
use super::weights::Weights;
use super::{Error, PresetRef};
use crate::gguf::Header;
use crate::quantize::{self, Mix, Network, Rows, Stretch};

/// The tensors of a file to be written.
pub(super) struct Plan {
    pub(super) stretches: Vec<Stretch>,
    /// One a tensor, in file order.
    weights: Vec<Weights>,
    pub(super) parameters: u64,
}

impl Plan {
    /// Header and plan of a preset; `path` only stands in messages.
    pub(super) fn new(preset: &PresetRef, path: &str) -> Result<(Header, Plan), Error> {
        let recipe = preset.recipe();
        let mut header = Header::new(path);
        set_metadata(&mut header, recipe, preset.mix());
        let network = Network {
            layers: recipe.layers as usize,
            tied_head: recipe.tied_head,
            experts: 0,
            heads_per_kv: (recipe.heads / recipe.kv_heads) as usize,
        };
        let mut plan = Plan { stretches: vec![], weights: vec![], parameters: 0 };
        for tensor in recipe.network()?.tensors() {
            let format = preset.mix().format_of(&tensor.name, &tensor.shape, &network);
            header.tensor(&tensor.name, format, &tensor.shape)?;
            let rows = tensor.shape[1..].iter().product();
            plan.stretches.push(Stretch { format, cols: tensor.shape[0], rows });
            plan.parameters += (tensor.shape[0] * rows) as u64;
            plan.weights.push(Weights::of(recipe, &tensor).ok_or_else(|| Error::NoWeights {
                preset: recipe.name.clone(),
                tensor: tensor.name.clone(),
            })?);
        }
        Ok((header, plan))
    }

    /// SHA-256 of the header and of the first row of every tensor as encoded: a sample of the whole file's bytes.
    pub(super) fn fingerprint(&self, header: &Header) -> Result<String, Error> {
        let mut sample = header.encode()?.0;
        let first_rows: Vec<Stretch> =
            self.stretches.iter().map(|s| Stretch { rows: 1, ..*s }).collect();
        quantize::encode(&first_rows, self, 1, 1, &mut |row| {
            sample.extend_from_slice(row);
            Ok(())
        })?;
        Ok(quantize::hash::hex_of(&sample))
    }
}

impl Rows for Plan {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        self.weights[tensor].rows(first, self.stretches[tensor].cols, out);
    }
}

/// Everything a GGUF reader needs, in llama.cpp's words, and where the weights come from, in ours.
fn set_metadata(header: &mut Header, recipe: &Recipe, mix: Mix) {
    header.set("general.architecture", recipe.architecture.as_str());
    header.set("general.type", "model");
    header.set("general.name", recipe.name.as_str());
    let description = format!(
        "random weights, seed {}: the shape of a model without its knowledge, for measuring speed and memory",
        recipe.seed
    );
    header.set("general.description", description);
    header.set("general.file_type", mix.file_type());
    header.set("general.quantization_version", 2_u32);
    let mut set =
        |suffix: &str, value: u32| header.set(&format!("{}.{suffix}", recipe.architecture), value);
    set("vocab_size", recipe.vocab);
    set("context_length", recipe.context);
    set("embedding_length", recipe.embedding);
    set("block_count", recipe.layers);
    set("feed_forward_length", recipe.ffn);
    set("attention.head_count", recipe.heads);
    set("attention.head_count_kv", recipe.kv_heads);
    set("attention.key_length", recipe.head_dim);
    set("attention.value_length", recipe.head_dim);
    set("rope.dimension_count", recipe.head_dim);
    let mut set =
        |suffix: &str, value: f32| header.set(&format!("{}.{suffix}", recipe.architecture), value);
    set("attention.layer_norm_rms_epsilon", recipe.norm_eps);
    set("rope.freq_base", recipe.rope_base);
    // Token ids only: llama.cpp makes `vocab_size` dummy tokens of this.
    header.set("tokenizer.ggml.model", "no_vocab");
    header.set("yardstick.preset", recipe.name.as_str());
    header.set("yardstick.recipe_sha256", recipe.sha256());
}
