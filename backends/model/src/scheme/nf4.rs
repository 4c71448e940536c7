//! bitsandbytes' NF4: codes of 4 bits into a table of 16, times the largest magnitude of a block; those magnitudes in 8 bits
//! themselves where the scheme doubles. What its own dequantisation gives, rounded to the type it gives it in.

use crate::safetensors::Dtype;

/// One matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nf4<'a> {
    /// Inputs: a row.
    pub(super) inputs: usize,
    /// Two codes a byte, the first high; blocks run on over rows.
    pub(super) codes: &'a [u8],
    pub(super) state: &'a State,
}

/// What stands beside the codes, decoded once.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// (16)
    pub(super) table: [f32; 16],
    /// Weights a block.
    pub(super) block: usize,
    /// (blocks): the largest magnitude of each.
    pub(super) largest: Vec<f32>,
    /// What the weights were before, and are again.
    pub(super) dtype: Dtype,
}

impl State {
    /// Magnitudes that are stored as codes of 8 bits into a table of 256, times a scale a block of their own, plus an offset.
    pub(super) fn nested(
        codes: &[u8],
        table: &[f32],
        scales: &[f32],
        block: usize,
        offset: f32,
    ) -> Vec<f32> {
        let of = |(i, &code): (usize, &u8)| table[usize::from(code)] * scales[i / block] + offset;
        codes.iter().enumerate().map(of).collect()
    }
}

impl Nf4<'_> {
    pub(super) fn row(&self, row: usize, first: usize, out: &mut [f32]) {
        for (at, value) in (row * self.inputs + first..).zip(out) {
            let byte = self.codes[at / 2];
            let code = if at % 2 == 0 { byte >> 4 } else { byte & 15 };
            let product =
                self.state.table[usize::from(code)] * self.state.largest[at / self.state.block];
            *value = match self.state.dtype {
                Dtype::F16 => half::f16::from_f32(product).to_f32(),
                Dtype::BF16 => half::bf16::from_f32(product).to_f32(),
                _ => product,
            };
        }
    }
}
