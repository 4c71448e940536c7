//! How an adapter is best used for each format: measured once for an adapter and driver, where the outcome can be kept,
//! and the usual choice of its kind of adapter else.

use std::time::Duration;

use yardstick_api::Error;
use yardstick_model::{Architecture, Format};

use crate::buffers::{Buffers, Numbers};
use crate::build::Builder;
use crate::gpu::Gpu;
use crate::matrix::Matrix;
use crate::sizes::Sizes;
use crate::weights::Network;

/// How products with weights of one format are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuning {
    /// Activations through uniform bindings.
    pub(crate) uniform: bool,
    /// Invocations that share a row of a single token's product.
    pub(crate) splits: u32,
    /// Pairs of panels a workgroup computes.
    pub(crate) pairs: u32,
}

impl Tuning {
    /// Before anything was measured. Of a software adapter lanes are a vector's elements: one load of a uniform serves
    /// them all, and barriers cost.
    pub(crate) fn usual(software: bool) -> Tuning {
        match software {
            true => Tuning { uniform: true, splits: 1, pairs: 4 },
            false => Tuning { uniform: false, splits: 16, pairs: 1 },
        }
    }

    /// What is tried, the usual first.
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

    fn write(&self) -> String {
        format!("{} {} {}", u8::from(self.uniform), self.splits, self.pairs)
    }

    fn read<'t>(words: &mut impl Iterator<Item = &'t str>) -> Option<Tuning> {
        let uniform = words.next()? == "1";
        let mut number = || words.next()?.parse().ok().filter(|n| (1..=64).contains(n));
        Some(Tuning { uniform, splits: number()?, pairs: number()? })
    }
}

/// The choice for every format of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tunings {
    usual: Tuning,
    of: Vec<(Format, Tuning)>,
    /// Activations of single tokens in 8 bits.
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

    fn keep(&self, gpu: &Gpu) {
        let line =
            |(format, tuning): &(Format, Tuning)| format!("{} {}\n", format.name(), tuning.write());
        let text: String = self.of.iter().map(line).collect();
        gpu.kept.write(Tunings::file(self.int8), text.as_bytes());
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
            let choice =
                best(gpu, architecture, (network, buffers, sizes), &tunings, matrix).await?;
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

/// Another choice must be so much faster than the usual one.
const GAIN: f64 = 0.95;

async fn best(
    gpu: &Gpu,
    architecture: &Architecture,
    parts: (&Network, &Buffers, &Sizes),
    tunings: &Tunings,
    matrix: &Matrix,
) -> Result<Tuning, Error> {
    let mut best: Option<(Tuning, Duration)> = None;
    for tuning in Tuning::candidates(gpu) {
        let trial = Tunings { usual: tuning, of: Vec::new(), ..tunings.clone() };
        let mut numbers = Numbers::new();
        let time =
            Builder::new(gpu, architecture, parts, &trial, &mut numbers).time(matrix).await?;
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
        let tuning = Tuning { uniform: false, splits: 16, pairs: 2 };
        assert_eq!(Tuning::read(&mut tuning.write().split_whitespace()), Some(tuning));
        for text in ["", "1", "1 4", "1 0 1", "1 x 1", "0 4 65", "1 4 -1"] {
            assert_eq!(Tuning::read(&mut text.split_whitespace()), None, "{text:?}");
        }
    }
}
