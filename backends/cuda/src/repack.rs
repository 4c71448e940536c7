//! Weights as the kernels read them (`kernels/formats.cuh`): units of 32, their parts in planes. A format without a kernel
//! becomes one that has all its values exactly.

use yardstick_model::format::{iq4_nl, k_scales};
use yardstick_model::{Format, Tensor};

/// A format the kernels read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types, reason = "the kernels' types are called so")]
#[allow(missing_docs, reason = "kernels/formats.cuh says what each is")]
pub enum Packed {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4_K,
    Q5_K,
    Q6_K,
}

/// Weights of a unit.
const UNIT: usize = 32;

impl Packed {
    /// Every one.
    pub const ALL: [Packed; 11] = [
        Packed::F32,
        Packed::F16,
        Packed::BF16,
        Packed::Q4_0,
        Packed::Q4_1,
        Packed::Q5_0,
        Packed::Q5_1,
        Packed::Q8_0,
        Packed::Q4_K,
        Packed::Q5_K,
        Packed::Q6_K,
    ];

    /// What a format of a file becomes; `None`: there is no kernel for it.
    pub fn of(format: Format) -> Option<Packed> {
        Some(match format {
            Format::F32 => Packed::F32,
            Format::F16 => Packed::F16,
            Format::BF16 => Packed::BF16,
            Format::Q4_0 => Packed::Q4_0,
            Format::Q4_1 => Packed::Q4_1,
            Format::Q5_0 => Packed::Q5_0,
            Format::Q5_1 => Packed::Q5_1,
            // The table of IQ4_NL holds bytes.
            Format::Q8_0 | Format::IQ4_NL => Packed::Q8_0,
            // Codes of Q3_K are few of those of Q6_K, the scales are of the same kind.
            Format::Q6_K | Format::Q3_K => Packed::Q6_K,
            Format::Q4_K => Packed::Q4_K,
            Format::Q5_K => Packed::Q5_K,
            Format::Q2_K => return None,
        })
    }

    /// The kernels' type.
    pub fn name(self) -> &'static str {
        match self {
            Packed::F32 => "F32",
            Packed::F16 => "F16",
            Packed::BF16 => "BF16",
            Packed::Q4_0 => "Q4_0",
            Packed::Q4_1 => "Q4_1",
            Packed::Q5_0 => "Q5_0",
            Packed::Q5_1 => "Q5_1",
            Packed::Q8_0 => "Q8_0",
            Packed::Q4_K => "Q4_K",
            Packed::Q5_K => "Q5_K",
            Packed::Q6_K => "Q6_K",
        }
    }

    /// Multiplied in f32, not with activations in 8 bits.
    pub fn is_dense(self) -> bool {
        matches!(self, Packed::F32 | Packed::F16 | Packed::BF16)
    }

    /// Bytes of a matrix, saturating.
    pub fn bytes(self, rows: usize, cols: usize) -> u64 {
        let units = (rows as u64).saturating_mul(cols.div_ceil(UNIT) as u64);
        // Quarters of a byte per unit: the scales of eight units lie together.
        let quarters: u64 = match self {
            Packed::F32 => 512,
            Packed::F16 | Packed::BF16 => 256,
            Packed::Q4_0 => 72,
            Packed::Q4_1 => 80,
            Packed::Q5_0 => 88,
            Packed::Q5_1 => 96,
            Packed::Q8_0 => 136,
            Packed::Q4_K => 74,
            Packed::Q5_K => 90,
            Packed::Q6_K => 105,
        };
        units.saturating_mul(quarters).div_ceil(4)
    }
}

/// The planes of a matrix; `None`: there is no kernel for its format.
pub fn repack(tensor: &Tensor<'_>) -> Option<(Packed, Vec<u8>)> {
    let packed = Packed::of(tensor.format)?;
    let bytes = usize::try_from(packed.bytes(tensor.rows, tensor.cols)).ok()?;
    let units = tensor.rows * tensor.cols.div_ceil(UNIT);
    let mut planes = Planes { bytes: vec![0; bytes], units };
    match tensor.format {
        Format::F32 => dense::<4>(tensor, &mut planes),
        Format::F16 | Format::BF16 => dense::<2>(tensor, &mut planes),
        _ => {
            let block = tensor.format.block_bytes();
            let of_block = tensor.format.block_len() / UNIT;
            for (i, block) in tensor.bytes.chunks_exact(block).enumerate() {
                blocks(tensor.format, block, i * of_block, &mut planes);
            }
        }
    }
    Some((packed, planes.bytes))
}

/// Bytes being filled.
struct Planes {
    bytes: Vec<u8>,
    units: usize,
}

impl Planes {
    /// Puts entry `index` of a plane that begins `before` bytes per unit into the matrix.
    fn put(&mut self, before: f32, index: usize, entry: &[u8]) {
        let at = (self.units as f64 * f64::from(before)) as usize + index * entry.len();
        self.bytes[at..at + entry.len()].copy_from_slice(entry);
    }
}

/// Values of `BYTES` bytes; plane p holds bytes 16 p to 16 p + 15 of every unit.
fn dense<const BYTES: usize>(tensor: &Tensor<'_>, planes: &mut Planes) {
    let row_units = tensor.cols.div_ceil(UNIT);
    for row in 0..tensor.rows {
        for (u, unit) in tensor.row(row).chunks(UNIT * BYTES).enumerate() {
            let mut whole = [0; 128];
            whole[..unit.len()].copy_from_slice(unit);
            for (p, part) in whole[..UNIT * BYTES].chunks_exact(16).enumerate() {
                planes.put(16.0 * p as f32, row * row_units + u, part);
            }
        }
    }
}

/// One block of a quantised format, whose first unit is `at`.
fn blocks(format: Format, block: &[u8], at: usize, planes: &mut Planes) {
    match format {
        Format::Q4_0 => {
            planes.put(0.0, at, &block[2..18]);
            planes.put(16.0, at, &block[..2]);
        }
        Format::Q4_1 => {
            planes.put(0.0, at, &block[4..20]);
            planes.put(16.0, at, &block[..4]);
        }
        Format::Q5_0 => {
            planes.put(0.0, at, &block[6..22]);
            planes.put(16.0, at, &block[2..6]);
            planes.put(20.0, at, &block[..2]);
        }
        Format::Q5_1 => {
            planes.put(0.0, at, &block[8..24]);
            planes.put(16.0, at, &block[4..8]);
            planes.put(20.0, at, &block[..4]);
        }
        Format::Q8_0 => eight_bits(&block[2..34], &block[..2], at, planes),
        Format::IQ4_NL => {
            let value = |code: u8| iq4_nl::VALUES[usize::from(code)] as u8;
            let codes: [u8; 32] =
                std::array::from_fn(|j| value(block[2 + j % 16] >> (j / 16 * 4) & 15));
            eight_bits(&codes, &block[..2], at, planes);
        }
        Format::Q4_K | Format::Q5_K => k_affine(format == Format::Q5_K, block, at, planes),
        Format::Q6_K => q6_k(block, at, planes),
        Format::Q3_K => q3_k(block, at, planes),
        Format::F32 | Format::F16 | Format::BF16 | Format::Q2_K => {}
    }
}

fn eight_bits(codes: &[u8], scale: &[u8], at: usize, planes: &mut Planes) {
    planes.put(0.0, at, &codes[..16]);
    planes.put(16.0, at, &codes[16..]);
    planes.put(32.0, at, scale);
}

/// Lower four bits of 32 codes, weight j beside weight j + 16.
fn nibbles(code: impl Fn(usize) -> u8) -> [u8; 16] {
    std::array::from_fn(|j| code(j) & 15 | (code(j + 16) & 15) << 4)
}

fn k_affine(fives: bool, block: &[u8], at: usize, planes: &mut Planes) {
    let packed = block[4..].first_chunk().expect("both formats have 12 bytes of scales here");
    let (scales, mins) = k_scales::unpack(packed);
    let (codes, before) = if fives { (&block[48..], 20.0) } else { (&block[16..], 16.0) };
    for i in 0..8 {
        let code = |j: usize| codes[i / 2 * 32 + j] >> (i % 2 * 4) & 15;
        planes.put(0.0, at + i, &nibbles(code));
        if fives {
            let high = (0..32).fold(0, |bits, j| bits | u32::from(block[16 + j] >> i & 1) << j);
            planes.put(16.0, at + i, &high.to_le_bytes());
        }
        planes.put(before + 0.5, at + i, &[scales[i], mins[i]]);
    }
    planes.put(before, at / 8, &block[..4]);
}

/// Eight units of 6-bit codes and a signed scale per 16.
fn six_bits(code: impl Fn(usize) -> u8, scales: &[u8], d: &[u8], at: usize, planes: &mut Planes) {
    for i in 0..8 {
        let code = |j: usize| code(32 * i + j);
        let high: [u8; 8] = std::array::from_fn(|b| {
            (0..4).fold(0, |bits, k| bits | code(4 * b + k) >> 4 << (2 * k))
        });
        planes.put(0.0, at + i, &nibbles(code));
        planes.put(16.0, at + i, &high);
        planes.put(24.0, at + i, &scales[2 * i..2 * i + 2]);
    }
    planes.put(26.0, at / 8, d);
}

fn q6_k(block: &[u8], at: usize, planes: &mut Planes) {
    let code = |w: usize| {
        let (half, rest) = (w / 128, w % 128);
        let low = block[64 * half + rest % 64] >> (rest / 64 * 4) & 15;
        let high = block[128 + 32 * half + rest % 32] >> (rest / 32 * 2) & 3;
        low | high << 4
    };
    six_bits(code, &block[192..208], &block[208..210], at, planes);
}

fn q3_k(block: &[u8], at: usize, planes: &mut Planes) {
    let (high, low) = (&block[..32], &block[32..96]);
    let code = |w: usize| {
        let two = low[w / 128 * 32 + w % 32] >> (w / 32 % 4 * 2) & 3;
        // Codes less 4, and the other format's codes less 32.
        two + (high[w % 32] >> (w / 32) & 1) * 4 + 28
    };
    let scales: [u8; 16] = std::array::from_fn(|i| {
        let low = block[96 + i % 8] >> (i / 8 * 4) & 15;
        let high = block[104 + i % 4] >> (i / 4 * 2) & 3;
        (low | high << 4).wrapping_sub(32)
    });
    six_bits(code, &scales, &block[108..110], at, planes);
}
