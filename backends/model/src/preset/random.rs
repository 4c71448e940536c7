//! The integer-only generator of weights: counter based, so that any row can be made by any thread in any order.
//!
//! A weight starts as the sum of four uniform bytes, which is close to normal (excess kurtosis -0.3, no tail
//! beyond 3.5 standard deviations) and needs no transcendental function, so it is the same on every machine.

/// Odd constant that steps counters (2^64 divided by the golden ratio, as in SplitMix64: Steele, Lea and Flood 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// Mean of the sum of four uniform bytes.
const MEAN: i32 = 4 * 255 / 2;
/// Standard deviation of the sum of four uniform bytes: `sqrt(4 * (256^2 - 1) / 12)`.
pub(super) const DEVIATION: f32 = 147.799_86;

/// SplitMix64's finaliser: every bit of the input reaches every bit of the output.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of 64-bit words, found by its key; word `i` costs the same as word 0.
#[derive(Clone, Copy)]
pub(super) struct Stream(u64);

impl Stream {
    /// The stream of one purpose under one seed: a tensor's name, or a name of our own.
    pub(super) fn named(seed: u64, name: &str) -> Stream {
        // FNV-1a, then mixed.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        Stream(mix(hash ^ mix(seed.wrapping_add(STEP))))
    }

    /// An independent stream below this one: one a row.
    pub(super) fn sub(self, index: u64) -> Stream {
        Stream(mix(self.0.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP))))
    }

    /// The word at `index`.
    pub(super) fn word(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_mul(STEP)))
    }

    /// Fills `out[i]` with `normal(i) * scales[i] * factor`: mean 0, standard deviation `scales[i] * factor * DEVIATION`.
    /// Two roundings a weight and no fused operation, so the bits are the same everywhere.
    pub(super) fn fill(self, scales: &[f32], factor: f32, out: &mut [f32]) {
        let (pairs, last) = out.as_chunks_mut::<2>();
        let (scale_pairs, last_scale) = scales.as_chunks::<2>();
        let mut counter = self.0;
        for (pair, scale) in pairs.iter_mut().zip(scale_pairs) {
            let [low, high] = two_normals(mix(counter));
            *pair = [low as f32 * scale[0] * factor, high as f32 * scale[1] * factor];
            counter = counter.wrapping_add(STEP);
        }
        if let ([value], [scale]) = (last, last_scale) {
            *value = two_normals(mix(counter))[0] as f32 * scale * factor;
        }
    }
}

/// Sums the four bytes of each half of a word, both at once, and centres them.
fn two_normals(word: u64) -> [i32; 2] {
    const EVEN_BYTES: u64 = 0x00ff_00ff_00ff_00ff;
    let sums = (word & EVEN_BYTES) + ((word >> 8) & EVEN_BYTES);
    let sums = sums + (sums >> 16);
    [(sums & 0xffff) as i32 - MEAN, ((sums >> 32) & 0xffff) as i32 - MEAN]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_the_stated_mean_and_deviation() {
        let mut out = vec![0.0; 1 << 16];
        let scales = vec![1.0; out.len()];
        Stream::named(7, "blk.0.attn_q.weight").fill(&scales, 1.0, &mut out);
        let mean = out.iter().map(|v| f64::from(*v)).sum::<f64>() / out.len() as f64;
        let variance =
            out.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / out.len() as f64;
        assert!(mean.abs() < 3.0, "mean {mean}");
        assert!(
            (variance.sqrt() / f64::from(DEVIATION) - 1.0).abs() < 0.02,
            "deviation {}",
            variance.sqrt()
        );
    }

    #[test]
    fn streams_are_pinned_and_differ_by_seed_name_and_row() {
        let first = |seed, name, row| Stream::named(seed, name).sub(row).word(0);
        let one = first(1, "token_embd.weight", 0);
        assert_eq!(one, PINNED, "the generator changed: bump GENERATOR and the manifest");
        for other in [
            first(2, "token_embd.weight", 0),
            first(1, "output.weight", 0),
            first(1, "token_embd.weight", 1),
        ] {
            assert_ne!(one, other);
        }
    }

    /// Word 0 of row 0 of `token_embd.weight` under seed 1.
    const PINNED: u64 = 6_997_976_786_773_286_701;

    #[test]
    fn a_row_of_odd_length_is_the_start_of_a_longer_one() {
        let scales = [1.0; 8];
        let (mut seven, mut eight) = ([0.0; 7], [0.0; 8]);
        Stream::named(3, "x").fill(&scales[..7], 0.5, &mut seven);
        Stream::named(3, "x").fill(&scales, 0.5, &mut eight);
        assert_eq!(seven, eight[..7]);
    }
}
