//! Packed weights: panels of 16 rows, interleaved so that one 64-byte line is what a vector kernel multiplies at once.
//!
//! A *line* holds 4 consecutive weights of each of 16 rows: one operand of an AVX-512 8-bit dot product, two of AVX2, four of
//! NEON. A *chunk* is one block of the format from each of the 16 rows: first its scales, then the weights. Where the format
//! splits the high bits off, each packed line of them comes before the packed lines of low bits of the same weights:
//!
//! * low bits, 8: lines as they are; 4: packed line n holds line 2n in its low nibbles and line 2n + 1 in its high ones;
//!   2: packed line n holds lines 4n .. 4n + 3, the first in the lowest bits;
//! * high bits, 1: packed line n holds lines 8n .. 8n + 7; 2: lines 4n .. 4n + 3; the first in the lowest bits;
//! * scales: see [`Scales`].
//!
//! A chunk has exactly the bytes of its 16 blocks, and a panel, chunk after chunk, those of its 16 rows: packing makes
//! nothing larger, and decode reads one stream from start to end, every line once and in the order of addresses (with all high
//! bits before all low ones Q6_K streamed at two thirds of the rate: the processor's prefetchers follow one place in a page). The last panel of a matrix is filled up with rows of zeros.
//!
//! Panels follow each other, those of long rows in stacks cut into bands: [`Order`].

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512_vnni;
#[cfg(target_arch = "aarch64")]
pub(crate) mod dotprod;
mod order;
mod pack;
pub(crate) mod plain;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use order::{LONG, Order, STACK};
pub(crate) use pack::{pack_panels, pack_rows};
pub(crate) use run::{Run, Step};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::activations::Row;
use super::integer::ROWS;
use super::quant::Quant;

/// Bytes of a line.
pub(crate) const LINE: usize = 4 * ROWS;
/// Most columns a row kernel takes at once.
pub(crate) const COLUMNS: usize = 8;
/// Most groups of a chunk.
pub(crate) const GROUPS: usize = 16;

/// How the scales of a chunk are stored; `d` and `m` are the f16 of 16 rows, 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scales {
    /// d
    Half,
    /// d, m
    HalfMin,
    /// d, m, [six-bit codes](pack::six_bits): 8 scales, 8 minima
    SixBit,
    /// d, six-bit codes: 16 scales, 32 too large
    SixBitSigned,
    /// d, (16 groups, 16 rows) of i8
    Byte,
    /// d, m, (16 groups, 16 rows) of nibbles: scales low, minima high
    Nibble,
}

impl Scales {
    /// Bytes at the head of a chunk.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Scales::Half => 32,
            Scales::HalfMin => 64,
            Scales::SixBit => 64 + 192,
            Scales::SixBitSigned => 32 + 192,
            Scales::Byte => 32 + 256,
            Scales::Nibble => 64 + 256,
        }
    }
}

/// A format that can be packed.
pub(crate) trait Packed: Quant {
    /// Layout of the scales.
    const SCALES: Scales;
    /// Where the f16 scale is in a block; that of the minima follows it.
    const D: usize;
    /// Where the small scales are in a block, where there are some.
    const SMALL: usize = 0;
    /// Bits of a weight in the low part: 2, 4 or 8.
    const LOW: u32;
    /// Bits in the high part: 0, 1 or 2.
    const HIGH: u32 = 0;
    /// What the codes stand for, where that is not themselves.
    const TABLE: Option<[u8; 16]> = None;

    /// The codes of a block's weights: what is packed.
    #[inline(always)]
    fn codes(block: &[u8], q: &mut [u8]) {
        let (mut scales, mut mins) = ([0.0; GROUPS], [0.0; GROUPS]);
        Self::unpack(block, q, &mut scales, &mut mins);
    }
}

/// Bytes of a chunk.
pub(crate) const fn chunk_bytes<F: Packed>() -> usize {
    F::BYTES * ROWS
}

/// Where packed line `n` of the high bits starts in a chunk.
#[inline(always)]
pub(crate) const fn high_line<F: Packed>(n: usize) -> usize {
    F::SCALES.bytes() + n * (F::LOW / F::HIGH + 1) as usize * LINE
}

/// Where packed line `n` of the low bits starts.
#[inline(always)]
pub(crate) const fn low_line<F: Packed>(n: usize) -> usize {
    let before = match F::LOW.checked_div(F::HIGH) {
        Some(together) => n / together as usize + 1,
        None => 0,
    };
    F::SCALES.bytes() + (n + before) * LINE
}

/// Bytes of a matrix when packed: whole panels.
pub(crate) fn packed_bytes(rows: usize, row_bytes: usize) -> usize {
    rows.next_multiple_of(ROWS) * row_bytes
}

/// Whether a row kernel, which follows pointers, may multiply a run by `x`; panics if not.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn assert_long_enough<F: Packed>(run: &Run<'_>, x: &[Row<'_>]) {
    let cols = run.cols;
    assert!(x.len() <= COLUMNS && !x.is_empty());
    assert!(cols.is_multiple_of(F::BLOCK) && run.order.band.is_multiple_of(F::BLOCK));
    assert!(run.bytes.len() >= run.panels * (cols / F::BLOCK * chunk_bytes::<F>()));
    for x in x {
        assert!(x.q.len() >= cols && x.scale.len() >= cols / 32);
        assert!(x.less.len() >= cols / 32 * 3 && x.more.len() >= cols / 32 * 3);
    }
}

macro_rules! packed {
    ($($format:ty: $scales:ident at $d:literal, small $small:literal, $low:literal + $high:literal bits;)*) => {
        $(impl Packed for $format {
            const SCALES: Scales = Scales::$scales;
            const D: usize = $d;
            const SMALL: usize = $small;
            const LOW: u32 = $low;
            const HIGH: u32 = $high;
        })*
        /// Every chunk has the bytes of its blocks.
        const _: () = { $(
            assert!(low_line::<$format>(<$format>::BLOCK * $low / 32 - 1) + LINE == chunk_bytes::<$format>());
        )* };
    };
}

packed! {
    super::q4_0::Q4_0: Half at 0, small 0, 4 + 0 bits;
    super::q4_1::Q4_1: HalfMin at 0, small 0, 4 + 0 bits;
    super::q5_0::Q5_0: Half at 0, small 0, 4 + 1 bits;
    super::q5_1::Q5_1: HalfMin at 0, small 0, 4 + 1 bits;
    super::q8_0::Q8_0: Half at 0, small 0, 8 + 0 bits;
    super::q2_k::Q2K: Nibble at 80, small 0, 2 + 0 bits;
    super::q3_k::Q3K: SixBitSigned at 108, small 96, 2 + 1 bits;
    super::q4_k::Q4K: SixBit at 0, small 4, 4 + 0 bits;
    super::q5_k::Q5K: SixBit at 0, small 4, 4 + 1 bits;
    super::q6_k::Q6K: Byte at 208, small 192, 4 + 2 bits;
}

impl Packed for super::iq4_nl::Iq4Nl {
    const SCALES: Scales = Scales::Half;
    const D: usize = 0;
    const LOW: u32 = 4;
    const TABLE: Option<[u8; 16]> = Some(super::iq4_nl::TABLE);

    #[inline(always)]
    fn codes(block: &[u8], q: &mut [u8]) {
        super::quant::nibbles(&block[2..18], q);
    }
}
