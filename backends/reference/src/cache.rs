//! The KV cache: rotated keys and values of every position, stored as the options ask: f32, f16 or Q8_0 blocks.

use std::borrow::Cow;

use yardstick_api::{Error, KvType};
use yardstick_model::{Architecture, Format};

use crate::memory::zeros;

/// Keys and values of a sequence, (positions, width) each.
pub(crate) type KeysAndValues<'a> = (Cow<'a, [f32]>, Cow<'a, [f32]>);

/// Keys and values of all layers and sequences.
pub(crate) struct Cache {
    layers: Vec<LayerCache>,
    context: usize,
    kind: KvType,
}

/// One layer's part.
struct LayerCache {
    /// (sequences, context, kv_heads * key_dim)
    keys: Store,
    /// (sequences, context, kv_heads * value_dim)
    values: Store,
}

/// Rows of equal width.
struct Store {
    rows: Rows,
    width: usize,
}

enum Rows {
    F32(Vec<f32>),
    /// Encoded rows, one after the other.
    Encoded(Format, Vec<u8>),
}

impl Cache {
    pub(crate) fn new(
        architecture: &Architecture,
        sequences: usize,
        context: usize,
        kind: KvType,
    ) -> Result<Cache, Error> {
        let count = sequences.saturating_mul(context);
        let layers = architecture.layers.iter().map(|layer| {
            let [_, key_width, value_width] = layer.qkv_rows();
            let keys = Store::new(count, key_width, kind)?;
            Ok(LayerCache { keys, values: Store::new(count, value_width, kind)? })
        });
        let layers = layers.collect::<Result<_, Error>>()?;
        Ok(Cache { layers, context, kind })
    }

    pub(crate) fn kind(&self) -> KvType {
        self.kind
    }

    /// Writes one row's key and value.
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
        layer.keys.set(at, key);
        layer.values.set(at, value);
    }

    /// Keys (positions, kv_heads, key_dim) and values (positions, kv_heads, value_dim) of a sequence's first positions.
    pub(crate) fn rows(
        &self,
        layer: usize,
        sequence: usize,
        positions: usize,
    ) -> Result<KeysAndValues<'_>, Error> {
        let at = sequence * self.context;
        let layer = &self.layers[layer];
        Ok((layer.keys.get(at, positions)?, layer.values.get(at, positions)?))
    }

    /// Makes the first `length` positions of `to` those of `from`.
    pub(crate) fn copy(&mut self, from: usize, to: usize, length: usize) {
        let context = self.context;
        for layer in &mut self.layers {
            for store in [&mut layer.keys, &mut layer.values] {
                store.copy(from * context, to * context, length);
            }
        }
    }
}

impl Store {
    fn new(rows: usize, width: usize, kind: KvType) -> Result<Store, Error> {
        let format = match kind {
            KvType::F32 => {
                return Ok(Store { rows: Rows::F32(zeros(rows.saturating_mul(width))?), width });
            }
            KvType::F16 => Format::F16,
            KvType::Q8_0 => Format::Q8_0,
        };
        let mut bytes = Vec::new();
        let length = rows.saturating_mul(format.row_bytes(width));
        bytes
            .try_reserve_exact(length)
            .map_err(|_| Error::OutOfMemory(format!("{length} bytes of KV cache")))?;
        bytes.resize(length, 0);
        Ok(Store { rows: Rows::Encoded(format, bytes), width })
    }

    fn set(&mut self, row: usize, values: &[f32]) {
        let width = self.width;
        match &mut self.rows {
            Rows::F32(all) => all[row * width..][..width].copy_from_slice(values),
            Rows::Encoded(format, bytes) => {
                let stride = format.row_bytes(width);
                if let Some(encode) = format.layout().encode {
                    encode(values, &mut bytes[row * stride..][..stride]);
                }
            }
        }
    }

    fn get(&self, first: usize, rows: usize) -> Result<Cow<'_, [f32]>, Error> {
        let width = self.width;
        match &self.rows {
            Rows::F32(all) => Ok(Cow::Borrowed(&all[first * width..][..rows * width])),
            Rows::Encoded(format, bytes) => {
                let stride = format.row_bytes(width);
                let mut decoded = zeros(rows * width)?;
                // Blocks are whole in a head, so that rows decode as one.
                format.decode(&bytes[first * stride..][..rows * stride], &mut decoded);
                Ok(Cow::Owned(decoded))
            }
        }
    }

    fn copy(&mut self, from: usize, to: usize, rows: usize) {
        let width = self.width;
        match &mut self.rows {
            Rows::F32(all) => all.copy_within(from * width..(from + rows) * width, to * width),
            Rows::Encoded(format, bytes) => {
                let stride = format.row_bytes(width);
                bytes.copy_within(from * stride..(from + rows) * stride, to * stride);
            }
        }
    }
}
