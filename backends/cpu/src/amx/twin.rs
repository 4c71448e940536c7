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
        Twin { configuration: None, tiles: [ZERO; 8] }
    }
}

impl Twin {
    /// Bytes of a row, and rows.
    fn shape(&self, tile: u8) -> (usize, usize) {
        let configuration = self.configuration.expect("a tile operation without a configuration");
        let (row_bytes, rows) = configuration.shapes[usize::from(tile)];
        assert!(row_bytes > 0 && rows > 0, "tile {tile} is not configured");
        (row_bytes.into(), rows.into())
    }
}

fn word(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Unit for Twin {
    unsafe fn configure(&mut self, configuration: &Configuration) {
        for (row_bytes, rows) in configuration.shapes {
            assert!(usize::from(row_bytes) <= ROW_BYTES && usize::from(rows) <= ROWS);
            assert_eq!(row_bytes == 0, rows == 0, "rows without bytes");
        }
        *self = Twin { configuration: Some(*configuration), ..Twin::default() };
    }

    unsafe fn release(&mut self) {
        *self = Twin::default();
    }

    unsafe fn zero<const T: u8>(&mut self) {
        self.shape(T);
        self.tiles[usize::from(T)] = ZERO;
    }

    unsafe fn load<const T: u8>(&mut self, from: *const i8, stride: usize) {
        let (row_bytes, rows) = self.shape(T);
        let mut tile = ZERO;
        for (r, row) in tile.iter_mut().take(rows).enumerate() {
            for (i, byte) in row.iter_mut().take(row_bytes).enumerate() {
                // SAFETY: rows of the tile are readable (the caller).
                *byte = unsafe { from.add(r * stride + i).read() } as u8;
            }
        }
        self.tiles[usize::from(T)] = tile;
    }

    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
        let (row_bytes, rows) = self.shape(T);
        for (r, row) in self.tiles[usize::from(T)].iter().take(rows).enumerate() {
            for (i, &byte) in row.iter().take(row_bytes).enumerate() {
                // SAFETY: rows of the tile are writable (the caller).
                unsafe { to.cast::<u8>().add(r * stride + i).write(byte) };
            }
        }
    }

    unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
        let [(c_bytes, c_rows), (a_bytes, a_rows), (b_bytes, b_rows)] =
            [C, A, B].map(|tile| self.shape(tile));
        assert!(C != A && C != B && A != B, "the three tiles differ");
        assert!(a_rows == c_rows && b_bytes == c_bytes && a_bytes == 4 * b_rows, "shapes fit");
        assert!(a_bytes % 4 == 0 && c_bytes % 4 == 0, "whole words");
        let [a, b] = [A, B].map(|tile| self.tiles[usize::from(tile)]);
        for (sums, a) in self.tiles[usize::from(C)].iter_mut().zip(&a).take(c_rows) {
            for n in 0..c_bytes / 4 {
                let mut sum = word(sums, 4 * n);
                for (k, b) in b.iter().enumerate().take(b_rows) {
                    for i in 0..4 {
                        let product = i32::from(a[4 * k + i] as i8) * i32::from(b[4 * n + i] as i8);
                        sum = sum.wrapping_add(product);
                    }
                }
                sums[4 * n..4 * n + 4].copy_from_slice(&sum.to_le_bytes());
            }
        }
    }
}
