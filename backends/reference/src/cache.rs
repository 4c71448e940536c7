//! The KV cache: rotated keys and values of every position, in f32, whatever the options ask: an oracle does not round.

use yardstick_api::{Error, Sequence};
use yardstick_model::Architecture;

use crate::memory::zeros;

/// Keys and values of all layers and sequences.
pub(crate) struct Cache {
    layers: Vec<LayerCache>,
    /// Positions each sequence holds now, (sequences).
    lengths: Vec<usize>,
    context: usize,
}

/// One layer's part.
struct LayerCache {
    /// (sequences, context, kv_heads * key_dim)
    keys: Vec<f32>,
    /// (sequences, context, kv_heads * value_dim)
    values: Vec<f32>,
    key_width: usize,
    value_width: usize,
}

impl Cache {
    pub(crate) fn new(
        architecture: &Architecture,
        sequences: usize,
        context: usize,
    ) -> Result<Cache, Error> {
        let size = |width: usize| sequences.saturating_mul(context).saturating_mul(width);
        let layers = architecture.layers.iter().map(|layer| {
            let key_width = layer.kv_heads * layer.key_dim;
            let value_width = layer.kv_heads * layer.value_dim;
            let (keys, values) = (zeros(size(key_width))?, zeros(size(value_width))?);
            Ok(LayerCache { keys, values, key_width, value_width })
        });
        let layers = layers.collect::<Result<_, Error>>()?;
        Ok(Cache { layers, lengths: vec![0; sequences], context })
    }

    pub(crate) fn context(&self) -> usize {
        self.context
    }

    pub(crate) fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Index and length of a sequence, if there is such a sequence.
    pub(crate) fn find(&self, sequence: Sequence) -> Result<(usize, usize), Error> {
        let index = sequence.0 as usize;
        let length = self.lengths.get(index).copied().ok_or_else(|| {
            Error::Invalid(format!("sequence {index} of {} (from 0)", self.sequences()))
        })?;
        Ok((index, length))
    }

    pub(crate) fn set_length(&mut self, sequence: usize, length: usize) {
        self.lengths[sequence] = length;
    }

    /// Writes one row's key and value. Not counted until [`Cache::set_length`].
    pub(crate) fn store(
        &mut self,
        layer: usize,
        sequence: usize,
        position: usize,
        key: &[f32],
        value: &[f32],
    ) {
        let at = sequence * self.context + position;
        let layer = &mut self.layers[layer];
        layer.keys[at * layer.key_width..][..layer.key_width].copy_from_slice(key);
        layer.values[at * layer.value_width..][..layer.value_width].copy_from_slice(value);
    }

    /// Keys (positions, kv_heads, key_dim) and values (positions, kv_heads, value_dim) of a sequence's first positions.
    pub(crate) fn rows(&self, layer: usize, sequence: usize, positions: usize) -> (&[f32], &[f32]) {
        let at = sequence * self.context;
        let layer = &self.layers[layer];
        (
            &layer.keys[at * layer.key_width..][..positions * layer.key_width],
            &layer.values[at * layer.value_width..][..positions * layer.value_width],
        )
    }

    /// Makes sequence `to` equal to `from`.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        let length = self.lengths[from];
        let context = self.context;
        for layer in &mut self.layers {
            for (values, width) in
                [(&mut layer.keys, layer.key_width), (&mut layer.values, layer.value_width)]
            {
                let start = from * context * width;
                values.copy_within(start..start + length * width, to * context * width);
            }
        }
        self.lengths[to] = length;
    }
}
