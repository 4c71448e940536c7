//! AWQ and GPTQ: codes of 4 bits, a zero and an f16 scale a group of inputs and output. Weight: `(code - zero) * scale`.
//!
//! The product of a difference below 16 and a half has 15 bits: exact in f32, rounded in the f16 that their kernels use.

use super::Order;
use crate::Format;
use crate::format::f16;

/// Which of the eight codes of an AWQ word is output `8 c + i`: the inverse of the order 0, 2, 4, 6, 1, 3, 5, 7.
const AWQ: [u32; 8] = [0, 4, 1, 5, 2, 6, 3, 7];
/// Weights of a GGUF block.
const BLOCK: usize = 32;

/// One matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups<'a> {
    pub(super) order: Order,
    /// Inputs a group.
    pub(super) group: usize,
    /// Outputs.
    pub(super) out: usize,
    /// Inputs.
    pub(super) inputs: usize,
    /// i32: (in, out / 8) of AWQ, (in / 8, out) of GPTQ
    pub(super) qweight: &'a [u8],
    /// i32, (groups, out / 8)
    pub(super) qzeros: &'a [u8],
    /// f16, (groups, out)
    pub(super) scales: &'a [u8],
    /// (in): the group of each input, where they are not in order
    pub(super) index: Option<&'a [u32]>,
}

impl Groups<'_> {
    /// The weights of an output from input `first` on.
    pub(super) fn row(&self, row: usize, first: usize, out: &mut [f32]) {
        let mut known = (usize::MAX, 0, 0.0);
        for (input, value) in (first..).zip(out) {
            let group = self.group_of(input);
            if known.0 != group {
                known = (group, self.zero(group, row), self.scale(group, row));
            }
            let (_, zero, scale) = known;
            *value = (self.code(input, row) - zero) as f32 * scale;
        }
    }

    /// The row as blocks of a format that can hold it: Q4_1 as `scale * code - zero * scale`, exact but for the rounding
    /// of `zero * scale` to f16; Q4_0 where every zero is 8, exact. `false`: it cannot.
    pub(super) fn blocks(&self, row: usize, format: Format, out: &mut [u8]) -> bool {
        let symmetric = || (0..self.inputs / self.group).all(|group| self.zero(group, row) == 8);
        let min = match format {
            Format::Q4_1 => true,
            Format::Q4_0 if symmetric() => false,
            _ => return false,
        };
        if self.index.is_some() || !self.inputs.is_multiple_of(BLOCK) {
            return false;
        }
        for (block, out) in out.chunks_exact_mut(format.block_bytes()).enumerate() {
            let first = block * BLOCK;
            let group = self.group_of(first);
            let at = self.bits(group, row);
            out[..2].copy_from_slice(&at.to_le_bytes());
            if min {
                let min = f16::narrow(-(self.zero(group, row) as f32) * f16::widen(at));
                out[2..4].copy_from_slice(&min.to_le_bytes());
            }
            let codes = if min { 4 } else { 2 };
            for (j, byte) in out[codes..].iter_mut().enumerate() {
                let code = |i| self.code(first + i, row) as u8;
                *byte = code(j) | code(j + BLOCK / 2) << 4;
            }
        }
        true
    }

    fn group_of(&self, input: usize) -> usize {
        match self.index {
            Some(index) => index[input] as usize,
            None => input / self.group,
        }
    }

    fn code(&self, input: usize, row: usize) -> i32 {
        let (word, nibble) = match self.order {
            Order::Awq => (input * (self.out / 8) + row / 8, AWQ[row % 8]),
            Order::Gptq | Order::GptqV2 => (input / 8 * self.out + row, input as u32 % 8),
        };
        nibble_of(self.qweight, word, nibble)
    }

    /// Stored less one in GPTQ's first format; one that is 15 stands for 0 there, as AutoGPTQ's own unpacking wraps it.
    fn zero(&self, group: usize, row: usize) -> i32 {
        let nibble = if self.order == Order::Awq { AWQ[row % 8] } else { row as u32 % 8 };
        let stored = nibble_of(self.qzeros, group * (self.out / 8) + row / 8, nibble);
        if self.order == Order::Gptq { (stored + 1) & 15 } else { stored }
    }

    fn bits(&self, group: usize, row: usize) -> u16 {
        let at = 2 * (group * self.out + row);
        u16::from_le_bytes([self.scales[at], self.scales[at + 1]])
    }

    fn scale(&self, group: usize, row: usize) -> f32 {
        f16::widen(self.bits(group, row))
    }
}

/// One of the eight codes of a word.
fn nibble_of(words: &[u8], word: usize, nibble: u32) -> i32 {
    i32::from(words[4 * word + nibble as usize / 2] >> (nibble % 2 * 4) & 15)
}
