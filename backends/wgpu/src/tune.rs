//! How an adapter is best used for each format: measured once for an adapter and driver, where the outcome can be kept,
//! and the usual choice of its kind of adapter else.

use std::time::Duration;

use yardstick_api::Error;
use yardstick_model::{Architecture, Format};

use crate::buffers::{Buffers, Numbers};
use crate::build::Builder;
use crate::gpu::Gpu;
use crate::matrix::Matrix;
use crate::shaders::is_float;
use crate::sizes::{Sizes, TILE};
use crate::weights::Network;

/// How products with weights of one format are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// Activations through uniform bindings.
    pub(crate) uniform: bool,
    /// Invocations that share a row of a single token's product.
    pub(crate) splits: u32,
    /// Pairs of panels a workgroup computes of it.
    pub(crate) pairs: u32,
    /// Pairs of panels a workgroup computes of a tile's product.
    pub(crate) tile_pairs: u32,
    /// Tiles take activations in 8 bits, where the class of numerics is that.
    pub(crate) tile_int8: bool,
}

impl Tuning {
    /// Before anything was measured. Of a software adapter lanes are a vector's elements: one load of a uniform serves
    /// them all, barriers cost, and a packed dot product is many instructions.
    pub(crate) fn usual(software: bool) -> Tuning {
        match software {
            true => Tuning { uniform: true, splits: 1, pairs: 4, tile_pairs: 4, tile_int8: false },
            false => {
                Tuning { uniform: false, splits: 16, pairs: 1, tile_pairs: 4, tile_int8: true }
            }
        }
    }

    /// What is tried for single tokens, the usual first.
    fn candidates(gpu: &Gpu) -> Vec<Tuning> {
        let software = gpu.found.is_software();
        let usual = Tuning::usual(software);
        let (splits, pairs): (&[u32], &[u32]) = match software {
            true => (&[1], &[1, 2, 4, 8, 16]),
            false => (&[4, 8, 16, 32], &[1, 2, 4]),
        };
        let all = splits
            .iter()
            .flat_map(|&splits| pairs.iter().map(move |&pairs| Tuning { splits, pairs, ..usual }));
        let most = gpu.limits.max_compute_invocations_per_workgroup;
        let fits = |tuning: &Tuning| 8 * tuning.splits * tuning.pairs <= most && *tuning != usual;
        std::iter::once(usual).chain(all.filter(fits)).collect()
    }

    /// What is tried for tiles once the rest is chosen: f32 first.
    fn of_tiles(self, gpu: &Gpu, int8: bool) -> Vec<Tuning> {
        let pairs: &[u32] = if gpu.found.is_software() { &[4] } else { &[4, 1, 2, 8, 16] };
        let paths: &[bool] = if int8 { &[false, true] } else { &[false] };
        let of_path = |&tile_int8: &bool| {
            pairs.iter().map(move |&tile_pairs| Tuning { tile_pairs, tile_int8, ..self })
        };
        paths.iter().flat_map(of_path).collect()
    }

    fn write(&self) -> String {
        let (uniform, tile_int8) = (u8::from(self.uniform), u8::from(self.tile_int8));
        format!("{uniform} {} {} {} {tile_int8}", self.splits, self.pairs, self.tile_pairs)
    }

    fn read<'t>(words: &mut impl Iterator<Item = &'t str>) -> Option<Tuning> {
        let uniform = words.next()? == "1";
        let mut number = || words.next()?.parse().ok().filter(|n| (1..=64).contains(n));
        let (splits, pairs, tile_pairs) = (number()?, number()?, number()?);
        Some(Tuning { uniform, splits, pairs, tile_pairs, tile_int8: words.next()? == "1" })
    }
}

/// The choice for every format of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tunings {
    usual: Tuning,
    of: Vec<(Format, Tuning)>,
    /// Activations in 8 bits.
    pub(crate) int8: bool,
    /// Formats whose choice was measured, now or earlier.
    pub(crate) measured: usize,
}

impl Tunings {
    /// The usual choice.
    pub(crate) fn usual(gpu: &Gpu, int8: bool) -> Tunings {
        let usual = Tuning::usual(gpu.found.is_software());
        Tunings { usual, of: Vec::new(), int8, measured: 0 }
    }

    pub(crate) fn of(&self, format: Format) -> Tuning {
        self.of.iter().find(|(of, _)| *of == format).map_or(self.usual, |(_, tuning)| *tuning)
    }

    /// Products of tiles with weights of this format take activations in 8 bits.
    pub(crate) fn tiles_in_8_bits(&self, format: Format) -> bool {
        self.int8 && self.of(format).tile_int8 && !is_float(format)
    }

    fn file(int8: bool) -> &'static str {
        if int8 { "tuning-a8" } else { "tuning-f32" }
    }

    /// What an earlier process chose.
    fn read(gpu: &Gpu, int8: bool) -> Vec<(Format, Tuning)> {
        let bytes = gpu.kept.read(Tunings::file(int8)).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let format = Format::ALL.into_iter().find(|format| format.name() == name)?;
            Some((format, Tuning::read(&mut words)?))
        };
        text.lines().filter_map(line).collect()
    }

    pub(crate) fn keep(&self, gpu: &Gpu) {
        let line =
            |(format, tuning): &(Format, Tuning)| format!("{} {}\n", format.name(), tuning.write());
        let text: String = self.of.iter().map(line).collect();
        gpu.kept.write(Tunings::file(self.int8), text.as_bytes());
    }

    /// The usual choice, but tiles of every format in 8 bits: for tests and benches, on adapters that would choose f32.
    pub(crate) fn all_in_8_bits(gpu: &Gpu) -> Tunings {
        let usual = Tunings::usual(gpu, true);
        let choice = Tuning { tile_int8: true, ..usual.usual };
        Tunings { of: Format::ALL.map(|format| (format, choice)).to_vec(), ..usual }
    }

    /// Measured, or as measured earlier; the usual where nothing can be kept.
    pub(crate) async fn measure(
        gpu: &Gpu,
        architecture: &Architecture,
        (network, buffers, sizes): (&Network, &Buffers, &Sizes),
        int8: bool,
    ) -> Result<Tunings, Error> {
        let mut tunings = Tunings::usual(gpu, int8);
        if !gpu.kept.somewhere() {
            return Ok(tunings);
        }
        tunings.of = Tunings::read(gpu, int8);
        let before = tunings.of.len();
        for matrix in network.largest() {
            if tunings.of.iter().any(|(format, _)| *format == matrix.format) {
                continue;
            }
            // A small one would only show what a dispatch costs.
            if matrix.bytes() < SMALLEST || matrix.rows > sizes.logit_rows * sizes.vocab {
                continue;
            }
            let parts = (network, buffers, sizes);
            let single = Tuning::candidates(gpu);
            let choice = best(gpu, architecture, parts, &tunings, matrix, (true, single)).await?;
            let tiles = match matrix.rows > sizes.logit_rows / TILE * sizes.vocab {
                true => vec![choice],
                false => choice.of_tiles(gpu, int8 && !is_float(matrix.format)),
            };
            let choice = best(gpu, architecture, parts, &tunings, matrix, (false, tiles)).await?;
            tunings.of.push((matrix.format, choice));
        }
        if tunings.of.len() > before {
            tunings.keep(gpu);
        }
        tunings.measured = tunings.of.len();
        Ok(tunings)
    }
}

/// Bytes of a matrix worth timing.
const SMALLEST: u64 = 256 << 10;

/// Another choice must be so much faster than the one before it.
const GAIN: f64 = 0.95;

/// The fastest of some candidates, for single tokens or tiles.
async fn best(
    gpu: &Gpu,
    architecture: &Architecture,
    parts: (&Network, &Buffers, &Sizes),
    tunings: &Tunings,
    matrix: &Matrix,
    (single, candidates): (bool, Vec<Tuning>),
) -> Result<Tuning, Error> {
    if let [only] = candidates[..] {
        return Ok(only);
    }
    let mut best: Option<(Tuning, Duration)> = None;
    for tuning in candidates {
        let trial = Tunings { usual: tuning, of: Vec::new(), ..tunings.clone() };
        let mut numbers = Numbers::new();
        let mut builder = Builder::new(gpu, architecture, parts, &trial, &mut numbers);
        let time = builder.time(matrix, single).await?;
        let limit = best.map_or(Duration::MAX, |(_, time)| time.mul_f64(GAIN));
        if time < limit {
            best = Some((tuning, time));
        }
    }
    Ok(best.map_or(tunings.usual, |(tuning, _)| tuning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_was_written_and_nonsense_is_not() {
        let tuning = Tuning { tile_pairs: 8, pairs: 2, ..Tuning::usual(false) };
        assert_eq!(Tuning::read(&mut tuning.write().split_whitespace()), Some(tuning));
        for text in ["", "1", "1 4 1 1", "1 0 1 1 1", "1 x 1 1 0", "0 4 65 1 0", "1 4 1 -1 0"] {
            assert_eq!(Tuning::read(&mut text.split_whitespace()), None, "{text:?}");
        }
    }
}
