//! Attention of one key head over a cache of made-up keys and values.

use yardstick_api::{Error, KvType};
use yardstick_model::arch::{Activation, Ffn, Gate, Layer};

use super::{Slices, ramp};
use crate::attention::{Head, Scratch, attend};
use crate::kernels::Isa;
use crate::kv::Kv;

/// Queries, the caches of some sequences, and work space.
pub(super) struct Attention {
    isa: Isa,
    cache: Kv,
    scratch: Scratch,
    queries: Vec<f32>,
    shape: [usize; 3],
    sequences: usize,
}

impl Attention {
    pub(super) fn new(
        isa: Isa,
        kv: KvType,
        shape: [usize; 3],
        sequences: usize,
    ) -> Result<Attention, Error> {
        let [rows, dim, positions] = shape;
        let cache = Kv::new(&[layer(dim)], sequences, positions, kv)?;
        let values = ramp(dim * positions);
        for sequence in 0..sequences {
            for (position, row) in values.chunks_exact(dim).enumerate() {
                // SAFETY: nobody else has the cache yet.
                unsafe {
                    cache.layer(0).put_key(sequence, 0, position, row);
                    cache.layer(0).put_value(sequence, 0, position, row);
                }
            }
        }
        let (scratch, queries) = (Scratch::new(dim, dim), ramp(rows * dim));
        Ok(Attention { isa, cache, scratch, queries, shape, sequences })
    }
}

impl Slices for Attention {
    fn count(&self) -> usize {
        self.sequences
    }

    fn run(&mut self, sequence: usize) {
        let [rows, dim, positions] = self.shape;
        self.scratch.queries[..rows * dim].copy_from_slice(&self.queries);
        let (kv, softcap) = (self.cache.layer(0), None);
        // As a session of quantised weights.
        let pairs = self.isa.bf16().is_some();
        let at = Head { kv, sequence, head: 0, key_dim: dim, value_dim: dim, softcap, pairs };
        // SAFETY: the cache is this one's own.
        unsafe { attend(self.isa, at, rows, |_| 0..positions, &mut self.scratch) };
    }

    fn output(&self) -> Vec<f32> {
        self.scratch.sums().to_vec()
    }
}

/// A layer of one head.
pub(crate) fn layer(dim: usize) -> Layer {
    Layer {
        heads: 1,
        kv_heads: 1,
        key_dim: dim,
        value_dim: dim,
        fused_qkv: false,
        qkv_bias: false,
        output_bias: false,
        qk_norm: None,
        rotary: None,
        window: None,
        attention_scale: 1.0,
        softcap: None,
        post_norms: false,
        parallel: false,
        ffn: Ffn {
            width: 1,
            activation: Activation::Silu,
            gate: Gate::Separate,
            gate_bias: false,
            up_bias: false,
            down_bias: false,
            experts: None,
        },
    }
}
