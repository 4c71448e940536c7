//! Whether prefill on tiles is worth it: measured once, at the start, on a small product.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use yardstick_api::{Error, Numerics};
use yardstick_model::Format;

use crate::bench::{Slices, packed, product_slices};

/// Rows, length of a row, columns: some milliseconds without tiles.
const SHAPE: [usize; 3] = [128, 2048, 256];
/// Tries, by turns; the fastest counts.
const TRIES: usize = 5;
/// How much faster it must be: less may be chance, and then one start would choose one way and the next the other.
const ENOUGH: f64 = 1.15;

/// Prefill of a common format is faster on the tiles than on `plain`, the instruction set without them.
pub(crate) fn pays(plain: &str) -> bool {
    static GAIN: OnceLock<Option<f64>> = OnceLock::new();
    GAIN.get_or_init(|| gain("amx", plain).ok()).is_some_and(|gain| gain >= ENOUGH)
}

/// How many times as fast the first is as the second.
fn gain(with: &str, without: &str) -> Result<f64, Error> {
    let (mut with, mut without) = (product(with)?, product(without)?);
    let time = |product: &mut dyn Slices| {
        let start = Instant::now();
        product.run(0);
        start.elapsed()
    };
    let mut best = [Duration::MAX; 2];
    for _ in 0..TRIES {
        best = [best[0].min(time(&mut *with)), best[1].min(time(&mut *without))];
    }
    Ok(best[1].as_secs_f64() / best[0].as_secs_f64())
}

fn product(isa: &str) -> Result<Box<dyn Slices>, Error> {
    let [rows, cols, _] = SHAPE;
    let zeros = vec![0; rows * Format::Q4_K.row_bytes(cols)];
    let weights = packed(isa, Format::Q4_K, Numerics::A8, [rows, cols], &zeros)?;
    product_slices(isa, Format::Q4_K, Numerics::A8, SHAPE, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;

    #[test]
    fn what_is_faster_pays_and_what_is_slower_or_not_there_does_not() {
        let Some(plain) = Isa::usable().into_iter().rev().find(|isa| isa.amx().is_none()) else {
            return;
        };
        if plain == Isa::Scalar {
            return println!("skipped: nothing to compare");
        }
        assert!(gain(plain.name(), "scalar").unwrap() >= ENOUGH);
        assert!(gain("scalar", plain.name()).unwrap() < ENOUGH);
        assert!(gain("none", plain.name()).is_err());
    }
}
