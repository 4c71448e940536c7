//! Which experts ran since the cache was last empty.

use std::sync::atomic::{AtomicU64, Ordering};

use yardstick_model::arch::{Experts, Layer};

/// One bit an expert, 64 a word, for each layer.
pub(crate) struct Touched(Vec<Vec<AtomicU64>>);

impl Touched {
    /// None yet.
    pub(crate) fn new(layers: &[Layer]) -> Touched {
        let words = |layer: &Layer| layer.ffn.experts.map_or(0, |e| e.count.div_ceil(64));
        let none = |layer: &Layer| (0..words(layer)).map(|_| AtomicU64::new(0)).collect();
        Touched(layers.iter().map(none).collect())
    }

    /// This one ran.
    pub(crate) fn note(&self, layer: usize, expert: usize) {
        self.0[layer][expert / 64].fetch_or(1 << (expert % 64), Ordering::Relaxed);
    }

    /// None again.
    pub(crate) fn clear(&mut self) {
        for word in self.0.iter_mut().flatten() {
            *word.get_mut() = 0;
        }
    }

    /// Layers with experts, and how many of them ran.
    pub(crate) fn counts<'a>(
        &'a self,
        layers: &'a [Layer],
    ) -> impl Iterator<Item = (Experts, usize)> + 'a {
        layers.iter().zip(&self.0).filter_map(|(layer, words)| {
            let ran = words.iter().map(|bits| bits.load(Ordering::Relaxed).count_ones() as usize);
            Some((layer.ffn.experts?, ran.sum()))
        })
    }
}
