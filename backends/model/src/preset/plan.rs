//! What a preset's file will hold: metadata, tensors with their formats, and its exact size, before a byte is written.

use super::metadata;
use super::weights::Weights;
use super::{Error, PresetRef};
use crate::gguf::Header;
use crate::quantize::{self, Network, Rows, Stretch};

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
        metadata::set(&mut header, recipe, preset.mix())?;
        let layers = recipe.layers as usize;
        let (heads, kv_heads) = (recipe.heads.first() as usize, recipe.kv_heads.first() as usize);
        let network = Network {
            layers,
            tied_head: recipe.tied_head,
            experts: recipe.experts.unwrap_or(0) as usize,
            heads_per_kv: heads / kv_heads,
            seventy: quantize::seventy(&recipe.architecture, layers, heads, kv_heads),
            importance: false,
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
