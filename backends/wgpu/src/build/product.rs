//! Products: which shader, in which tiles, and what comes behind.

#[cfg(test)]
mod tests;

use yardstick_api::Error;

use super::{Builder, NONE, key};
use crate::buffers::{WINDOW, all, window};
use crate::matrix::Matrix;
use crate::planes::UNIT;
use crate::program::Grid;
use crate::shaders::{Input, Operation, is_float};
use crate::tune::Tuning;
use crate::weights::Offset;

/// A product to be made.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) name: &'static str,
    pub(super) layer: Option<usize>,
    pub(super) matrix: &'a Matrix,
    /// Row of y its first row is.
    pub(super) first: u32,
    pub(super) input: &'a wgpu::Buffer,
    pub(super) output: &'a wgpu::Buffer,
    /// Elements from one token of y to the next, or padded columns where it is tiled.
    pub(super) stride: u32,
    /// Tokens of a tile of y; 0: row-major.
    pub(super) out_tile: u32,
    /// Gate and up.
    pub(super) gated: bool,
}

/// What becomes of it (shaders/epilogue.wgsl).
#[derive(Clone, Copy)]
pub(super) struct After {
    pub(super) bias: Offset,
    pub(super) bias_up: Offset,
    pub(super) activation: u32,
    pub(super) add: bool,
    pub(super) scale: f32,
    pub(super) cap: f32,
    /// The norm before it is folded into it.
    pub(super) folded: bool,
    /// It prepares the next norm, whose weight this is.
    pub(super) gain: Offset,
}

impl Default for After {
    fn default() -> After {
        After {
            bias: None,
            bias_up: None,
            activation: 0,
            add: false,
            scale: 1.0,
            cap: 0.0,
            folded: false,
            gain: None,
        }
    }
}

impl Builder<'_> {
    /// Tokens of a tile for a product's input: as many as decode a weight once, all columns in sight where the product
    /// cannot be cut (`linear` ones can).
    pub(super) fn tile(&self, matrix: &Matrix, linear: bool) -> u32 {
        if self.single {
            return 1;
        }
        if self.quantises(matrix) {
            return 16;
        }
        let fits = |tile: &u32| u64::from(matrix.units * UNIT as u32 * tile * 4) <= WINDOW;
        let all_in_sight = [16, 8, 4].into_iter().find(fits);
        match all_in_sight {
            Some(tile) if !linear => tile,
            _ => 16,
        }
    }

    /// Adds the steps of a product whose input is tiled by `tile`.
    pub(super) fn product(&mut self, call: Call<'_>, after: After, tile: u32) -> Result<(), Error> {
        if !self.single && self.quantises(call.matrix) {
            self.quantise(call, tile)?;
        }
        for part in 0..call.matrix.parts.len() {
            match self.single {
                true => self.of_one(call, after, part)?,
                false => self.of_tiles(call, after, tile, part)?,
            }
        }
        Ok(())
    }

    /// Products of tiles with this matrix take activations in 8 bits.
    fn quantises(&self, matrix: &Matrix) -> bool {
        self.tunings.tiles_in_8_bits(matrix.format)
    }

    fn quantise(&mut self, call: Call<'_>, tile: u32) -> Result<(), Error> {
        let blocks = call.matrix.units * 2;
        let key = key(Operation::Quantise, None, &[("TILE", tile)]);
        let parts = [all(call.input), all(&self.buffers.quantised)];
        let grid = Grid::EachTile((blocks * tile / 4).div_ceil(64), tile);
        self.step("quantise", call.layer, key, &[blocks], &parts, grid)
    }

    fn words(&self, call: Call<'_>, after: After, part: usize, cut: [u32; 3]) -> Vec<u32> {
        let (matrix, stored) = (call.matrix, &call.matrix.parts[part]);
        let embedding = self.sizes.embedding as u32;
        vec![
            matrix.units,
            stored.pairs,
            stored.rows,
            call.first + stored.first,
            call.stride,
            call.out_tile,
            after.bias.unwrap_or(NONE),
            after.bias_up.unwrap_or(NONE),
            after.activation,
            stored.supers,
            u32::from(after.add),
            after.scale.to_bits(),
            after.cap.to_bits(),
            if after.folded { self.left.div_ceil(4) } else { 0 },
            (embedding as f32).to_bits(),
            self.architecture.norm.eps.to_bits(),
            after.gain.unwrap_or(NONE),
            cut[0],
            cut[1],
            cut[2],
        ]
    }

    fn of_one(&mut self, call: Call<'_>, after: After, part: usize) -> Result<(), Error> {
        let (buffers, vectors) = (self.buffers, &self.network.vectors.buffer);
        let tuning = self.tunings.of(call.matrix.format);
        let (units, stored) = (call.matrix.units, &call.matrix.parts[part]);
        let in_sight = u64::from(units) * 256 + 4 * crate::sizes::SUMS as u64;
        let uniform = tuning.uniform && in_sight <= WINDOW;
        let kind = self.gpu.input(uniform);
        let int8 = self.tunings.int8 && self.fits_int8(call.matrix, tuning);
        let mut words = self.words(call, after, part, [0, call.matrix.units, 0]);
        if after.gain.is_some() {
            // Where the sums of squares go: behind the columns of the normed stream.
            words[4] = self.normed_stride();
        }
        let [codes, high, scales] = stored.bindings();
        let input = if uniform { window(call.input) } else { all(call.input) };
        // Nothing but an adding product writes the last binding, and no such product reads the normed stream.
        let next = if after.gain.is_some() { &buffers.normed } else { &buffers.candidates };
        let parts = [codes, high, scales, input, all(call.output), all(vectors), all(next)];
        let mut constants = vec![
            ("SPLITS", tuning.splits),
            ("PAIRS", tuning.pairs),
            ("GATED", u32::from(call.gated)),
        ];
        if int8 {
            constants.extend([("WORDS", units * 16), ("BLOCKS", units * 2)]);
        }
        let operation = Operation::Product { input: kind, int8 };
        let key = key(operation, Some(call.matrix.format), &constants);
        let groups = stored.pairs.div_ceil(tuning.pairs);
        if after.gain.is_some() {
            self.left = groups;
        }
        self.step(call.name, call.layer, key, &words, &parts, Grid::One(groups))?;
        let work = u64::from(stored.pairs) * 16 * u64::from(units) * 64;
        self.work(work, stored.bytes());
        Ok(())
    }

    /// A row of activations in 8 bits fits workgroup memory, and the weights are integers.
    fn fits_int8(&self, matrix: &Matrix, tuning: Tuning) -> bool {
        let columns = u64::from(matrix.units) * UNIT as u64;
        let team = u64::from(8 * tuning.pairs * (2 * tuning.splits + 1));
        let bytes = columns + columns / 2 + 4 * team;
        let most = u64::from(self.gpu.limits.max_compute_workgroup_storage_size);
        !is_float(matrix.format) && bytes <= most
    }

    fn of_tiles(
        &mut self,
        call: Call<'_>,
        after: After,
        tile: u32,
        part: usize,
    ) -> Result<(), Error> {
        let (buffers, vectors) = (self.buffers, &self.network.vectors.buffer);
        let tuning = self.tunings.of(call.matrix.format);
        let (units, stored) = (call.matrix.units, &call.matrix.parts[part]);
        // Units of a window.
        let most = WINDOW as u32 / (UNIT as u32 * 4 * tile);
        let linear = !call.gated && after.activation == 0 && after.cap == 0.0;
        let quantised = self.quantises(call.matrix);
        let uniform = !quantised && tuning.uniform && (linear || units <= most);
        let kind = if quantised { Input::Quantised } else { self.gpu.input(uniform) };
        let operation = Operation::ProductTile { input: kind };
        let pairs = tuning.tile_pairs;
        let constants = [("TILE", tile), ("PAIRS", pairs), ("GATED", u32::from(call.gated))];
        let step = if uniform { most } else { units };
        let x = stored.pairs.div_ceil(pairs);
        for from in (0..units).step_by(step as usize) {
            let to = units.min(from + step);
            let words = self.words(call, after, part, [from, to, u32::from(from > 0)]);
            let [codes, high, scales] = stored.bindings();
            let input = match (quantised, uniform) {
                (true, _) => all(&buffers.quantised),
                (_, true) => window(call.input),
                _ => all(call.input),
            };
            let tiles = crate::gpu::part(&buffers.tiles, 0, 16);
            let parts = [codes, high, scales, input, all(call.output), all(vectors), tiles];
            let of_tile = UNIT as u32 * 4 * tile;
            let grid = match uniform {
                true => Grid::Windows { x, tile, bytes: units * of_tile, from: from * of_tile },
                false => Grid::Tiles(x, tile),
            };
            let key = key(operation, Some(call.matrix.format), &constants);
            self.step(call.name, call.layer, key, &words, &parts, grid)?;
            let work = u64::from(stored.pairs) * 16 * u64::from(to - from) * 64;
            self.work(work, stored.bytes() * u64::from(to - from) / u64::from(units));
        }
        Ok(())
    }
}
