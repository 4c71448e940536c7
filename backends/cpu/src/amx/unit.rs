//! The tile operations of a matrix unit (Intel SDM, volume 2, chapter "AMX"): eight registers of up to 16 rows of 64 bytes.

/// Rows of a whole tile, and bytes of a row.
pub(super) const ROWS: usize = 16;
pub(super) const ROW_BYTES: usize = 64;

/// Shapes of the eight registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Bytes of a row, and rows, of each tile.
    pub(super) shapes: [(u8, u8); 8],
}

impl Configuration {
    /// Eight whole tiles.
    pub(super) const WHOLE: Configuration =
        Configuration { shapes: [(ROW_BYTES as u8, ROWS as u8); 8] };

    /// As LDTILECFG reads it: palette 1, then bytes of a row from byte 16 and rows from byte 48.
    pub(super) fn bytes(&self) -> Memory {
        let mut memory = Memory([0; 64]);
        memory.0[0] = 1;
        for (tile, (row_bytes, rows)) in self.shapes.into_iter().enumerate() {
            memory.0[16 + 2 * tile] = row_bytes;
            memory.0[48 + tile] = rows;
        }
        memory
    }
}

/// The 64 bytes of a configuration.
#[repr(C, align(64))]
pub(super) struct Memory(pub(super) [u8; 64]);

/// Something with tiles. Operations name registers as the instructions do.
///
/// # Safety
/// The unit is there and granted; a configuration is in force for all but the first; pointers are good for every row of the tile,
/// `stride` bytes apart.
pub(super) trait Unit {
    /// LDTILECFG: all registers zero and of these shapes.
    unsafe fn configure(&mut self, configuration: &Configuration);
    /// TILERELEASE
    unsafe fn release(&mut self);
    /// TILEZERO
    unsafe fn zero<const T: u8>(&mut self);
    /// TILELOADD
    unsafe fn load<const T: u8>(&mut self, from: *const u8, stride: usize);
    /// TILESTORED
    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize);
    /// TDPBF16PS: as [`Unit::multiply`] with pairs of bf16 (`i < 2`), sums of f32.
    unsafe fn multiply_brain<const C: u8, const A: u8, const B: u8>(&mut self);
    /// TDPBSSD: `C[m][n] += sum over k, i < 4 of A[m][4k + i] * B[k][4n + i]`, signed bytes, sums of 32 bits that wrap.
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self);
}
