//! Floats that begin a cache line: a vector that lies across two is loaded and stored twice.

use std::ops::{Deref, DerefMut};

use crate::kv::LINE;

/// Some f32, zero at first; the first is aligned to 64 bytes.
pub(super) struct Floats(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

impl Floats {
    /// At least so many, in whole lines.
    pub(super) fn zeroed(len: usize) -> Floats {
        Floats(vec![Line([0.0; LINE]); len.div_ceil(LINE)])
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: lines are arrays of f32 without anything between them.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LINE) }
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LINE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_zero_whole_lines_and_begin_one() {
        for len in [0, 1, 16, 33] {
            let mut floats = Floats::zeroed(len);
            assert_eq!(floats.len(), len.next_multiple_of(LINE));
            assert!(floats.iter().all(|&x| x == 0.0));
            assert_eq!(floats.as_ptr() as usize % 64, 0);
            floats.iter_mut().for_each(|x| *x = 1.0);
            assert!(floats.iter().all(|&x| x == 1.0));
        }
    }
}
