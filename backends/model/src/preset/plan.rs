//! What a preset's file will hold: metadata, tensors with their formats, and its exact size, before a byte is written.

use super::metadata;
use super::recipe::RecipeError;
use super::weights::Weights;
use super::{Error, PresetRef, table};
use crate::Gguf;
use crate::gguf::Header;
use crate::quantize::{self, Decoded, Network, Rows, Stretch};

/// The tensors of a file to be written.
pub(super) struct Plan {
    pub(super) stretches: Vec<Stretch>,
    weights: Box<dyn Rows>,
    pub(super) parameters: u64,
}

impl Plan {
    /// Header and plan of a preset; `path` only stands in messages.
    pub(super) fn new(preset: &PresetRef, path: &str) -> Result<(Header, Plan), Error> {
        match preset.recipe().trained {
            true => trained(preset, path),
            false => random(preset, path),
        }
    }

    /// Adds every tensor to the header, in the format that the mix gives it.
    fn lay_out<'a>(
        header: &mut Header,
        preset: &PresetRef,
        network: &Network,
        tensors: impl Iterator<Item = (&'a str, &'a [usize])>,
        weights: Box<dyn Rows>,
    ) -> Result<Plan, Error> {
        let mut plan = Plan { stretches: vec![], weights, parameters: 0 };
        for (name, shape) in tensors {
            let format = preset.mix().format_of(name, shape, network);
            header.tensor(name, format, shape)?;
            let rows = shape[1..].iter().product();
            plan.stretches.push(Stretch { format, cols: shape[0], rows });
            plan.parameters += (shape[0] * rows) as u64;
        }
        Ok(plan)
    }

    /// SHA-256 of the header and of the first row of every tensor as encoded: a sample of the whole file's bytes.
    pub(super) fn fingerprint(&self, header: &Header) -> Result<String, Error> {
        let mut sample = header.encode()?.0;
        let first_rows: Vec<Stretch> =
            self.stretches.iter().map(|s| Stretch { rows: 1, ..*s }).collect();
        quantize::encode(&first_rows, self.rows(), 1, 1, &mut |row| {
            sample.extend_from_slice(row);
            Ok(())
        })?;
        Ok(quantize::hash::hex_of(&sample))
    }

    /// The weights as they are encoded from.
    pub(super) fn rows(&self) -> &dyn Rows {
        self.weights.as_ref()
    }
}

fn random(preset: &PresetRef, path: &str) -> Result<(Header, Plan), Error> {
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
    let tensors = recipe.network()?.tensors();
    let weights = tensors.iter().map(|tensor| {
        let weights = Weights::of(recipe, tensor).ok_or_else(|| Error::NoWeights {
            preset: recipe.name.clone(),
            tensor: tensor.name.clone(),
        })?;
        Ok((weights, tensor.shape[0]))
    });
    let weights = Random(weights.collect::<Result<_, Error>>()?);
    let shapes = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()));
    let plan = Plan::lay_out(&mut header, preset, &network, shapes, Box::new(weights))?;
    Ok((header, plan))
}

fn trained(preset: &PresetRef, path: &str) -> Result<(Header, Plan), Error> {
    let file = source(preset)?;
    let mut header = Header::new(path);
    header.copy_metadata(&file);
    metadata::set_quantisation(&mut header, preset.mix());
    let network = quantize::network(&file)?;
    let tensors = file.tensors().to_vec();
    let shapes = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()));
    let plan = Plan::lay_out(&mut header, preset, &network, shapes, Box::new(Trained(file)))?;
    Ok((header, plan))
}

fn source(preset: &PresetRef) -> Result<Gguf, Error> {
    let name = &preset.recipe().name;
    let bytes = table::trained(name).ok_or_else(|| RecipeError {
        preset: name.clone(),
        problem: "trained: found true, expected weights in the table".to_owned(),
    })?;
    Ok(Gguf::from_bytes(name, bytes.to_vec())?)
}

/// Weights drawn from a seed and columns of a row, one a tensor, in file order.
struct Random(Vec<(Weights, usize)>);

impl Rows for Random {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        let (weights, cols) = &self.0[tensor];
        weights.rows(first, *cols, out);
    }
}

/// Weights of a file whose tensors are in the same order.
struct Trained(Gguf);

impl Rows for Trained {
    fn rows(&self, tensor: usize, first: usize, out: &mut [f32]) {
        Decoded::of(&self.0).rows(tensor, first, out);
    }
}
