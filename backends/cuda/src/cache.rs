//! The KV cache on the device, and how long each sequence is.

use yardstick_api::{Error, KvType, Lengths, Sequence};
use yardstick_model::Architecture;

use crate::footprint::kv_elements;
use crate::machine::Driver;

/// Keys and values of all layers and sequences.
pub(crate) struct Cache {
    layers: Vec<[Store; 2]>,
    pub(crate) lengths: Lengths,
    pub(crate) kind: KvType,
    pub(crate) bytes: u64,
}

/// Keys or values of a layer, (sequences, kv_heads, context, dim); of 8 bits the scales lie behind all of them.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    pub(crate) address: u64,
    /// Elements of a sequence.
    elements: u64,
}

impl Cache {
    pub(crate) fn new(
        driver: &mut dyn Driver,
        architecture: &Architecture,
        sequences: usize,
        context: usize,
        kind: KvType,
    ) -> Result<Cache, Error> {
        let mut bytes = 0;
        let mut store = |elements: u64| {
            let size = kind.bytes_of(elements.saturating_mul(sequences as u64));
            bytes += size;
            Ok::<Store, Error>(Store { address: driver.allocate(size, "the KV cache")?, elements })
        };
        let mut layers = Vec::new();
        for layer in &architecture.layers {
            let keys = store(kv_elements(layer, context, layer.key_dim))?;
            layers.push([keys, store(kv_elements(layer, context, layer.value_dim))?]);
        }
        Ok(Cache { layers, lengths: Lengths::new(sequences, context), kind, bytes })
    }

    /// Where a layer's keys and values begin.
    pub(crate) fn layer(&self, layer: usize) -> [u64; 2] {
        self.layers[layer].map(|store| store.address)
    }

    /// Makes sequence `to` equal to `from`.
    pub(crate) fn copy(
        &mut self,
        driver: &mut dyn Driver,
        from: Sequence,
        to: Sequence,
    ) -> Result<(), Error> {
        let ((from, _), (to, _)) = (self.lengths.find(from)?, self.lengths.find(to)?);
        if from == to {
            return Ok(());
        }
        let (sequences, blocks) = (self.lengths.sequences() as u64, self.kind == KvType::Q8_0);
        for store in self.layers.iter().flatten() {
            let mut copy = |base: u64, bytes: u64| {
                driver.copy(base + to as u64 * bytes, base + from as u64 * bytes, bytes)
            };
            match blocks {
                false => copy(store.address, self.kind.bytes_of(store.elements))?,
                true => {
                    copy(store.address, store.elements)?;
                    copy(store.address + sequences * store.elements, store.elements / 32 * 2)?;
                }
            }
        }
        self.lengths.copy(Sequence(from as u32), Sequence(to as u32)).map(|_| ())
    }
}
