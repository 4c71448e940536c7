//! The KV cache: preallocated tensors that are written in place (candle's `slice_set`), one pair a layer and sequence.

use candle_core::{DType, Device, Result, Tensor};
use yardstick_api::KvType;
use yardstick_model::arch::Layer;

/// Keys and values of all sequences and layers.
pub(crate) struct Cache {
    /// (sequences, layers)
    pairs: Vec<Vec<Pair>>,
    pub(crate) kv: KvType,
}

/// One layer's keys and values of one sequence.
pub(crate) struct Pair {
    /// (kv_heads, context, key_dim)
    keys: Tensor,
    /// (kv_heads, context, value_dim)
    values: Tensor,
}

impl Cache {
    pub(crate) fn new(
        layers: &[Layer],
        sequences: usize,
        context: usize,
        kv: KvType,
    ) -> Result<Cache> {
        let dtype = dtype(kv);
        let pair = |layer: &Layer| {
            let zeros = |dim| Tensor::zeros((layer.kv_heads, context, dim), dtype, &Device::Cpu);
            Ok(Pair { keys: zeros(layer.key_dim)?, values: zeros(layer.value_dim)? })
        };
        let of_sequence = |_| layers.iter().map(pair).collect::<Result<Vec<Pair>>>();
        let pairs = (0..sequences).map(of_sequence).collect::<Result<_>>()?;
        Ok(Cache { pairs, kv })
    }

    /// A layer of a sequence.
    pub(crate) fn pair(&self, sequence: usize, layer: usize) -> &Pair {
        &self.pairs[sequence][layer]
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> u64 {
        let of = |tensor: &Tensor| self.kv.bytes_of(tensor.elem_count() as u64);
        self.pairs.iter().flatten().map(|pair| of(&pair.keys) + of(&pair.values)).sum()
    }

    /// Makes the first `length` positions of `to` those of `from`.
    pub(crate) fn copy(&self, from: usize, to: usize, length: usize) -> Result<()> {
        if from != to && length > 0 {
            for (source, target) in self.pairs[from].iter().zip(&self.pairs[to]) {
                let part = |tensor: &Tensor| tensor.narrow(1, 0, length)?.contiguous();
                target.keys.slice_set(&part(&source.keys)?, 1, 0)?;
                target.values.slice_set(&part(&source.values)?, 1, 0)?;
            }
        }
        Ok(())
    }
}

impl Pair {
    /// Writes keys (kv_heads, n, key_dim) and values (kv_heads, n, value_dim) from `position` on.
    pub(crate) fn store(&self, position: usize, keys: &Tensor, values: &Tensor) -> Result<()> {
        let as_kept = |tensor: &Tensor| tensor.to_dtype(self.keys.dtype())?.contiguous();
        self.keys.slice_set(&as_kept(keys)?, 1, position)?;
        self.values.slice_set(&as_kept(values)?, 1, position)
    }

    /// The first `length` keys (kv_heads, length, key_dim) and values (kv_heads, length, value_dim), in f32.
    pub(crate) fn first(&self, length: usize) -> Result<(Tensor, Tensor)> {
        let part = |tensor: &Tensor| tensor.narrow(1, 0, length)?.to_dtype(DType::F32);
        Ok((part(&self.keys)?, part(&self.values)?))
    }
}

fn dtype(kv: KvType) -> DType {
    match kv {
        KvType::F32 => DType::F32,
        // Plans refuse anything coarser.
        KvType::F16 | KvType::Q8_0 => DType::F16,
    }
}
