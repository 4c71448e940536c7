//! Rotary position embedding: the angles of every position of the context, and candle's operations that apply them.

use candle_core::{Device, Result, Tensor};
use yardstick_model::arch::{Rotary, RotaryStyle};

/// Cosines and sines of all positions.
pub(crate) struct Angles {
    style: RotaryStyle,
    /// (context, dims / 2)
    cos: Tensor,
    /// (context, dims / 2)
    sin: Tensor,
    dims: usize,
}

/// Those of the rows of one step.
pub(crate) struct Turn<'a> {
    angles: &'a Angles,
    /// (rows, dims / 2)
    cos: Tensor,
    /// (rows, dims / 2)
    sin: Tensor,
}

impl Angles {
    /// Angles are formed in f64, as the reference does; at far positions f32 products would be off by thousandths.
    /// `chosen` is the context by which long or short factors are chosen.
    pub(crate) fn new(rotary: &Rotary, context: usize, chosen: usize) -> Result<Angles> {
        let frequencies = rotary.frequencies(chosen);
        let magnitude = f64::from(rotary.magnitude);
        let table = |f: fn(f64) -> f64| {
            let angle = move |position, w| (f(position as f64 * w) * magnitude) as f32;
            let of = |position| frequencies.iter().map(move |w| angle(position, *w));
            let values: Vec<f32> = (0..context).flat_map(of).collect();
            Tensor::from_vec(values, (context, frequencies.len()), &Device::Cpu)
        };
        let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
        Ok(Angles { style: rotary.style, cos, sin, dims: rotary.dims })
    }

    /// The angles of consecutive runs of positions: (first position, number of rows).
    pub(crate) fn turn(&self, runs: &[(usize, usize)]) -> Result<Turn<'_>> {
        let rows = |table: &Tensor| {
            let parts = runs.iter().map(|&(first, count)| table.narrow(0, first, count));
            let parts = parts.collect::<Result<Vec<Tensor>>>()?;
            if let [part] = &parts[..] { Ok(part.clone()) } else { Tensor::cat(&parts, 0) }
        };
        Ok(Turn { angles: self, cos: rows(&self.cos)?, sin: rows(&self.sin)? })
    }
}

impl Turn<'_> {
    /// `x` (1, heads, rows, dim), contiguous, with its heads' first `dims` elements turned.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (dims, dim) = (self.angles.dims, x.dim(3)?);
        if dims == dim {
            return self.rope(x);
        }
        let turned = self.rope(&x.narrow(3, 0, dims)?.contiguous()?)?;
        Tensor::cat(&[turned, x.narrow(3, dims, dim - dims)?], 3)
    }

    fn rope(&self, x: &Tensor) -> Result<Tensor> {
        match self.angles.style {
            RotaryStyle::Interleaved => candle_nn::rotary_emb::rope_i(x, &self.cos, &self.sin),
            RotaryStyle::Halves => candle_nn::rotary_emb::rope(x, &self.cos, &self.sin),
        }
    }
}
