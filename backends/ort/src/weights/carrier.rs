//! How a GGUF format is carried: dense, or as the integer blocks of the operator `MatMulNBits`.
//!
//! `MatMulNBits` multiplies with `(code - half) * scale`, where `half` is 8 at 4 bits and 128 at 8. Symmetric formats are that
//! exactly. Formats with a minimum are `code * scale - minimum`: the operator's own float zero points would say so, but ONNX
//! Runtime 1.31 then decodes the whole matrix in every product (150 times slower, 4 bits only). What a block's codes are off by is
//! a constant a block, so its share of the product is (sums of the activations a block) times (offsets): a product a
//! block's length smaller, in f32.

use yardstick_api::WeightScheme;
use yardstick_model::Format;

use crate::onnx::ElementType;

/// How the matrices of a format are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// As they are, widened to f32 when the session is made.
    Dense(ElementType),
    /// Codes of `bits` with a scale in f32 a block.
    Blocks {
        bits: usize,
        block: usize,
        /// What is added to a code to make it an unsigned number about `half`.
        bias: i32,
        /// There is an offset a block beside the scale.
        affine: bool,
    },
    /// Codes of 4 bits with a scale in f32 for each group of a row, whose last may be shorter; 8 is added to a code.
    Groups { group: usize },
    /// Signed codes with a scale in f32 a row, decoded by `DequantizeLinear`.
    Channels { bits: usize },
}

/// How a whole model is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// Every matrix decoded to f32, for providers that know no blocks: the same values, in 4 bytes each.
    pub(crate) decoded: bool,
    /// Values rounded anew; `None`: the file's.
    pub(crate) anew: Option<WeightScheme>,
}

impl Scheme {
    /// Blocks as blocks.
    pub(crate) const BLOCKS: Scheme = Scheme { decoded: false, anew: None };
    /// The file's values in f32.
    pub(crate) const DECODED: Scheme = Scheme { decoded: true, anew: None };

    /// What folders and facts call it.
    pub(crate) fn name(self) -> String {
        match (self.anew, self.decoded) {
            (None, false) => "exact".to_owned(),
            (None, true) => "decoded".to_owned(),
            (Some(anew), false) => anew.name().to_owned(),
            (Some(anew), true) if anew.rounds_activations() => anew.name().to_owned(),
            (Some(anew), true) => format!("{}-decoded", anew.name()),
        }
    }

    /// Products are quantised whole: what goes in, the weights, what comes out.
    pub(crate) fn rounds_activations(self) -> bool {
        self.anew.is_some_and(WeightScheme::rounds_activations)
    }

    /// How the matrices of a format are carried.
    pub(crate) fn carrier(self, format: Format) -> Carrier {
        match (self.decoded, self.anew) {
            // Providers take these integers where they take no others: products are quantised as a whole.
            (_, Some(anew)) if anew.rounds_activations() => Carrier::Channels { bits: anew.bits() },
            (true, _) => Carrier::Dense(ElementType::F32),
            (false, None) => carrier(format),
            (false, Some(WeightScheme::Int4Group128)) => Carrier::Groups { group: 128 },
            (false, Some(anew)) => Carrier::Channels { bits: anew.bits() },
        }
    }
}

/// How the matrices of this format are carried, unless they are decoded.
fn carrier(format: Format) -> Carrier {
    let symmetric = |bits, block| Carrier::Blocks { bits, block, bias: half(bits), affine: false };
    // Codes from 0 are centred, so that the operator's integers are small; the offset makes up for it.
    let affine = |bits, block, bias| Carrier::Blocks { bits, block, bias, affine: true };
    match format {
        Format::F32 => Carrier::Dense(ElementType::F32),
        Format::F16 => Carrier::Dense(ElementType::F16),
        Format::BF16 => Carrier::Dense(ElementType::BF16),
        Format::Q4_0 => symmetric(4, 32),
        Format::Q5_0 | Format::Q8_0 | Format::IQ4_NL => symmetric(8, 32),
        Format::Q3_K => symmetric(4, 16),
        Format::Q6_K => symmetric(8, 16),
        Format::Q4_1 | Format::Q4_K => affine(4, 32, 0),
        Format::Q2_K => affine(4, 16, 6),
        Format::Q5_1 | Format::Q5_K => affine(8, 32, 112),
    }
}

/// The code that stands for 0.
pub(crate) fn half(bits: usize) -> i32 {
    1 << (bits - 1)
}

impl Carrier {
    /// Bytes of a (rows, cols) matrix in the file.
    pub(crate) fn bytes(self, rows: u64, cols: u64) -> u64 {
        let weights = rows.saturating_mul(cols);
        match self {
            Carrier::Dense(ElementType::F32) => weights.saturating_mul(4),
            Carrier::Dense(_) => weights.saturating_mul(2),
            Carrier::Blocks { bits, block, affine, .. } => {
                let blocks = weights / block as u64;
                let numbers = if affine { 8 } else { 4 };
                (weights / 8)
                    .saturating_mul(bits as u64)
                    .saturating_add(blocks.saturating_mul(numbers))
            }
            // A row may end in half a group.
            Carrier::Groups { group } => {
                let groups = (weights / group as u64).saturating_mul(2);
                (weights / 2).saturating_add(groups.saturating_mul(4 + group as u64 / 2))
            }
            // No row is shorter than a block.
            Carrier::Channels { bits } => {
                (weights / 8).saturating_mul(bits as u64).saturating_add(weights / 8)
            }
        }
    }

    /// What facts call it.
    pub(crate) fn describe(self, level: &str) -> String {
        match self {
            Carrier::Dense(ElementType::F32) => "Gemm f32".to_owned(),
            Carrier::Dense(_) => "Gemm f32, widened when loaded".to_owned(),
            Carrier::Blocks { bits, block, affine, .. } => {
                let offsets = if affine { " and a product of block sums" } else { "" };
                format!("MatMulNBits {bits} bits, blocks of {block}{offsets}, {level}")
            }
            Carrier::Groups { group } => {
                format!("rounded anew: MatMulNBits 4 bits, groups of {group}, {level}")
            }
            Carrier::Channels { bits } => {
                format!("rounded anew: DequantizeLinear of int{bits} a channel, Gemm, {level}")
            }
        }
    }
}
