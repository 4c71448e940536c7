//! Where the panels of a matrix lie: one after the other, or, where rows are long, in stacks that are cut into bands.
//!
//! A panel of long rows pushes the activations of its first columns out of the L1 before the next panel needs them again, and
//! the loads that bring them back disturb the stream of weights. So the first [`BAND`] columns of some panels, a *stack*, lie
//! together, then the next [`BAND`] columns of the same panels, and so on: activations of a band serve the whole stack from the
//! L1, and the stream stays one. `ffn_down` of llama-3.2-1b (rows of 8192), one thread on Zen 4, GB/s, medians by turns: Q4_K_M 25.5
//! uncut, 29.1 in stacks of 4 and bands of 512, 27.7 of 1024; Q4_0 27.2, 28.2, 28.3. Floats, whose kernel takes one value of the
//! input for 16 weights, are not faster for it.

use std::ops::Range;

use yardstick_model::Format;

use crate::kernels::integer::{DEPTH, ROWS};

/// Rows of more weights than this are cut into bands.
pub(crate) const LONG: usize = 4096;
/// Columns of a band, a multiple of every block and of what prefill unpacks at once.
const BAND: usize = DEPTH;
/// Panels of a stack.
pub(crate) const STACK: usize = 4;

/// The order of a matrix of panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Panels that lie together.
    pub(super) stack: usize,
    /// Columns of them that do.
    pub(super) band: usize,
}

impl Order {
    /// Panels one after the other.
    pub(crate) fn plain(cols: usize) -> Order {
        Order { stack: 1, band: cols.max(1) }
    }

    /// That of rows of `cols` weights, when parts of the matrix may begin at any multiple of `unit` rows (0: at none).
    pub(crate) fn of(format: Format, cols: usize, unit: usize) -> Order {
        let cut = format.block_len() > 1 && cols > LONG && unit.is_multiple_of(STACK * ROWS);
        if cut { Order { stack: STACK, band: BAND } } else { Order::plain(cols) }
    }

    /// Rows of a stack.
    pub(crate) fn rows(self) -> usize {
        self.stack * ROWS
    }

    /// What tells it from other orders.
    pub(crate) fn numbers(self) -> [usize; 2] {
        [self.stack, self.band]
    }

    /// The bands of rows of `cols` weights.
    pub(crate) fn bands(self, cols: usize) -> impl Iterator<Item = Range<usize>> {
        (0..cols).step_by(self.band).map(move |from| from..(from + self.band).min(cols))
    }

    /// Where columns `deep`, all of one band, of a panel are in a matrix of so many `panels`.
    pub(crate) fn place(
        self,
        format: Format,
        cols: usize,
        panels: usize,
        panel: usize,
        deep: Range<usize>,
    ) -> Range<usize> {
        let bytes = |columns: usize| format.row_bytes(columns) * ROWS;
        let first = panel / self.stack * self.stack;
        let together = (panels - first).min(self.stack);
        let band = deep.start / self.band * self.band;
        let end = (band + self.band).min(cols);
        debug_assert!(deep.end <= end, "{deep:?} of bands of {}", self.band);
        let at = first * bytes(cols)
            + together * bytes(band)
            + (panel - first) * bytes(end - band)
            + bytes(deep.start - band);
        at..at + bytes(deep.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte of a matrix belongs to one block of columns of one panel.
    #[test]
    fn places_cover_the_matrix_once() {
        for format in [Format::Q4_0, Format::Q6_K, Format::F16, Format::F32] {
            for (cols, panels) in [(256, 3), (4096, 5), (4352, 1), (4864, 7), (8192, 9), (14336, 6)]
            {
                let order = Order::of(format, cols, 0);
                let mut taken = vec![false; format.row_bytes(cols) * ROWS * panels];
                for panel in 0..panels {
                    for from in (0..cols).step_by(256) {
                        for taken in
                            &mut taken[order.place(format, cols, panels, panel, from..from + 256)]
                        {
                            assert!(
                                !*taken,
                                "{format:?} {cols} x {panels}: panel {panel} from {from}"
                            );
                            *taken = true;
                        }
                    }
                }
                assert!(taken.iter().all(|&taken| taken), "{format:?} {cols} x {panels}");
            }
        }
    }

    #[test]
    fn a_stack_streams_its_bands_one_after_the_other() {
        let order = Order::of(Format::Q4_0, 8192, 0);
        assert_eq!(order, Order { stack: 4, band: 512 });
        let mut end = 0;
        for stack in 0..2 {
            for band in order.bands(8192) {
                for panel in 4 * stack..4 * stack + 4 {
                    let place = order.place(Format::Q4_0, 8192, 8, panel, band.clone());
                    assert_eq!(place.start, end);
                    end = place.end;
                }
            }
        }
    }

    #[test]
    fn short_rows_floats_and_parts_that_begin_within_a_stack_are_not_cut() {
        assert_eq!(Order::of(Format::Q4_0, 4096, 0), Order::plain(4096));
        assert_eq!(Order::of(Format::Q4_0, 8192, 48), Order::plain(8192));
        assert_eq!(Order::of(Format::F16, 8192, 0), Order::plain(8192));
        assert_ne!(Order::of(Format::Q4_0, 8192, 128), Order::plain(8192));
    }
}
