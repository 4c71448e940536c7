//! Tiles in plain Rust, byte for byte what the manual says, what it forbids included: that panics.

use super::unit::{Configuration, ROW_BYTES, ROWS, Unit};

/// One register.
type Tile = [[u8; ROW_BYTES]; ROWS];

const ZERO: Tile = [[0; ROW_BYTES]; ROWS];

/// Eight registers and their shapes.
pub(super) struct Twin {
    configuration: Option<Configuration>,
    tiles: [Tile; 8],
}

impl Default for Twin {
    fn default() -> Twin {
        Twin::NEW
    }
}

/// The words of four bytes of a row.
fn words(row: &[u8; ROW_BYTES]) -> &[[u8; 4]; ROW_BYTES / 4] {
    row.as_chunks().0.as_array().expect("a row is that long")
}

/// A bf16 as the unit takes it: what is denormal is zero.
fn brain(bytes: [u8; 2]) -> f32 {
    flushed(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16))
}

/// Zero for what is denormal.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0_f32.copysign(x) } else { x }
}

impl Twin {
    /// Not configured.
    pub(super) const NEW: Twin = Twin { configuration: None, tiles: [ZERO; 8] };

    /// Bytes of a row, and rows.
    fn shape(&self, tile: u8) -> (usize, usize) {
        let configuration = self.configuration.expect("a tile operation without a configuration");
        let (row_bytes, rows) = configuration.shapes[usize::from(tile)];
        assert!(row_bytes > 0 && rows > 0, "tile {tile} is not configured");
        (row_bytes.into(), rows.into())
    }

    /// All registers zero and of these shapes.
    pub(super) fn reshape(&mut self, configuration: Configuration) {
        for (row_bytes, rows) in configuration.shapes {
            assert!(usize::from(row_bytes) <= ROW_BYTES && usize::from(rows) <= ROWS);
            assert_eq!(row_bytes == 0, rows == 0, "rows without bytes");
        }
        *self = Twin { configuration: Some(configuration), ..Twin::NEW };
    }

    /// A register to zero.
    pub(super) fn clear(&mut self, tile: u8) {
        self.shape(tile);
        self.tiles[usize::from(tile)] = ZERO;
    }

    /// Reads a register.
    ///
    /// # Safety
    /// Every row of the tile is readable, `stride` bytes apart.
    pub(super) unsafe fn read(&mut self, tile: u8, from: *const u8, stride: isize) {
        let (row_bytes, rows) = self.shape(tile);
        let mut read = ZERO;
        for (r, row) in read.iter_mut().take(rows).enumerate() {
            for (i, byte) in row.iter_mut().take(row_bytes).enumerate() {
                // SAFETY: rows of the tile are readable (the caller).
                *byte = unsafe { from.offset(r as isize * stride).add(i).read() };
            }
        }
        self.tiles[usize::from(tile)] = read;
    }

    /// Writes a register.
    ///
    /// # Safety
    /// Every row of the tile is writable, `stride` bytes apart.
    pub(super) unsafe fn write(&self, tile: u8, to: *mut u8, stride: isize) {
        let (row_bytes, rows) = self.shape(tile);
        for (r, row) in self.tiles[usize::from(tile)].iter().take(rows).enumerate() {
            for (i, &byte) in row.iter().take(row_bytes).enumerate() {
                // SAFETY: rows of the tile are writable (the caller).
                unsafe { to.offset(r as isize * stride).add(i).write(byte) };
            }
        }
    }

    /// The factors' registers, the sums' rows and columns, and words of a factor's row, if the shapes fit.
    fn factors(&self, [c, a, b]: [u8; 3]) -> ([Tile; 2], [usize; 3]) {
        let [(c_bytes, c_rows), (a_bytes, a_rows), (b_bytes, b_rows)] =
            [c, a, b].map(|tile| self.shape(tile));
        assert!(c != a && c != b && a != b, "the three tiles differ");
        assert!(a_rows == c_rows && b_bytes == c_bytes && a_bytes == 4 * b_rows, "shapes fit");
        assert!(a_bytes % 4 == 0 && c_bytes % 4 == 0, "whole words");
        ([a, b].map(|tile| self.tiles[usize::from(tile)]), [c_rows, c_bytes / 4, b_rows])
    }

    /// Adds products of signed bytes.
    pub(super) fn dot_bytes(&mut self, tiles: [u8; 3]) {
        let ([a, b], [rows, columns, depth]) = self.factors(tiles);
        for (sums, a) in self.tiles[usize::from(tiles[0])].iter_mut().zip(&a).take(rows) {
            for (n, sum) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate().take(columns) {
                let mut total = i32::from_le_bytes(*sum);
                for (a, b) in words(a).iter().zip(&b).take(depth) {
                    for (&a, b) in a.iter().zip(words(b)[n]) {
                        total = total.wrapping_add(i32::from(a as i8) * i32::from(b as i8));
                    }
                }
                *sum = total.to_le_bytes();
            }
        }
    }

    /// Adds products of pairs of bf16, each member of a pair in a sum of its own to the end.
    pub(super) fn dot_brains(&mut self, tiles: [u8; 3]) {
        let ([a, b], [rows, columns, depth]) = self.factors(tiles);
        for (sums, a) in self.tiles[usize::from(tiles[0])].iter_mut().zip(&a).take(rows) {
            for (n, sum) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate().take(columns) {
                let mut both = [0.0_f32; 2];
                for (&[a, b, c, d], row) in words(a).iter().zip(&b).take(depth) {
                    let [e, f, g, h] = words(row)[n];
                    both[0] = flushed(both[0] + flushed(brain([a, b]) * brain([e, f])));
                    both[1] = flushed(both[1] + flushed(brain([c, d]) * brain([g, h])));
                }
                let total = flushed(flushed(f32::from_le_bytes(*sum)) + flushed(both[0] + both[1]));
                *sum = total.to_le_bytes();
            }
        }
    }
}

impl Unit for Twin {
    unsafe fn configure(&mut self, configuration: &Configuration) {
        self.reshape(*configuration);
    }

    unsafe fn release(&mut self) {
        *self = Twin::NEW;
    }

    unsafe fn zero<const T: u8>(&mut self) {
        self.clear(T);
    }

    unsafe fn load<const T: u8>(&mut self, from: *const u8, stride: usize) {
        // SAFETY: the caller's.
        unsafe { self.read(T, from, stride as isize) }
    }

    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
        // SAFETY: the caller's.
        unsafe { self.write(T, to.cast(), stride as isize) }
    }

    unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
        self.dot_bytes([C, A, B]);
    }

    unsafe fn multiply_brain<const C: u8, const A: u8, const B: u8>(&mut self) {
        self.dot_brains([C, A, B]);
    }
}
