//! Panels that a row kernel multiplies in one call, in the order in which they lie: from the first byte to the last it is one stream.
//!
//! A call a panel costs more than its instructions: what it looks up before the first load and adds up after the last one leaves
//! the memory without a request now and then. One thread of Zen 5, rows of 2048 alone, medians in random order, GB/s: Q8_0 36.5 a call a panel,
//! 39.8 a call for all (38.8 with hints for every line); Q6_K 38.5 and 39.9, Q4_K 39.1 and 40.0, Q4_0 37.7 and 38.3.

use std::ops::Range;

use super::Order;
use crate::kernels::integer::ROWS;

/// Panels that lie one after the other, from the start of a stack to the end of one.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) bytes: &'a [u8],
    /// Weights of a row.
    pub(crate) cols: usize,
    pub(crate) panels: usize,
    pub(crate) order: Order,
}

/// Columns `from .. to` of one panel: what comes next in a run.
pub(crate) struct Step {
    /// Of the run.
    pub(crate) panel: usize,
    /// Of its stack.
    pub(crate) place: usize,
    pub(crate) columns: Range<usize>,
}

impl Run<'_> {
    /// The run, piece by piece.
    #[inline(always)]
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> + use<> {
        let Run { cols, panels, order, .. } = *self;
        (0..panels).step_by(order.stack).flat_map(move |first| {
            let together = (panels - first).min(order.stack);
            order.bands(cols).flat_map(move |columns| {
                (0..together).map(move |place| {
                    let columns = columns.clone();
                    Step { panel: first + place, place, columns }
                })
            })
        })
    }

    /// Stores the products of a panel, of which the last may have fewer than 16 rows.
    #[inline(always)]
    pub(crate) fn put(to: &mut [f32], panel: usize, products: &[f32; ROWS]) {
        let to = &mut to[panel * ROWS..];
        match to.first_chunk_mut::<ROWS>() {
            Some(to) => *to = *products,
            None => to.copy_from_slice(&products[..to.len()]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yardstick_model::Format;

    #[test]
    fn steps_go_through_the_bytes_from_start_to_end() {
        for format in [Format::Q4_0, Format::Q4_K, Format::F16] {
            for (cols, panels) in [(256, 3), (4096, 2), (4352, 1), (8192, 9), (14336, 6)] {
                let order = Order::of(format, cols, 0);
                let run = Run { bytes: &[], cols, panels, order };
                let (mut end, mut seen) = (0, vec![0; panels]);
                for Step { panel, place, columns } in run.steps() {
                    assert_eq!(place, panel % (order.rows() / ROWS));
                    assert_eq!(columns.start, seen[panel], "{format:?} {cols} x {panels}");
                    seen[panel] = columns.end;
                    let place = order.place(format, cols, panels, panel, columns);
                    assert_eq!(place.start, end, "{format:?} {cols} x {panels}");
                    end = place.end;
                }
                assert_eq!(seen, vec![cols; panels]);
                assert_eq!(end, format.row_bytes(cols) * ROWS * panels);
            }
        }
    }

    #[test]
    fn rows_that_are_not_there_are_not_stored() {
        let mut to = [0.0; 20];
        let products = std::array::from_fn(|i| i as f32 + 1.0);
        Run::put(&mut to, 0, &products);
        Run::put(&mut to, 1, &products);
        assert_eq!(to[..16], products);
        assert_eq!(to[16..], products[..4]);
    }
}
