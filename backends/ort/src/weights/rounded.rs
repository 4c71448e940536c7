//! Writes matrices whose weights are rounded anew: groups as `MatMulNBits` takes them, channels as `DequantizeLinear` does.

use std::io::{self, Write};

use yardstick_api::WeightScheme;
use yardstick_model::Tensor;

use super::carrier::Carrier;
use super::products::Product;
use super::write::Output;
use crate::onnx::ElementType;

/// Codes (rows, groups, bytes of a group) or (rows, cols), scales (rows * groups).
pub(super) fn rounded<W: Write>(
    output: &mut Output<W>,
    product: &Product,
    tensor: Tensor<'_>,
    carrier: Carrier,
    anew: WeightScheme,
) -> io::Result<()> {
    let (rows, cols) = (product.rows.len(), tensor.cols);
    if cols % 2 == 1 {
        return Err(io::Error::other(format!("rows of {cols} weights, which is odd")));
    }
    let (element, shape) = match carrier {
        Carrier::Groups { group } => (ElementType::U8, vec![rows, cols.div_ceil(group), group / 2]),
        _ if anew.bits() == 4 => (ElementType::I4, vec![rows, cols]),
        _ => (ElementType::I8, vec![rows, cols]),
    };
    let mut all = Vec::new();
    let (mut values, mut codes, mut scales) = (vec![0.0; cols], Vec::new(), Vec::new());
    output.align()?;
    let start = output.at;
    for i in 0..rows {
        tensor.format.decode(tensor.row(product.source(i)), &mut values);
        anew.encode(&values, &mut codes, &mut scales);
        if let Carrier::Groups { group } = carrier {
            // What lies behind the row's end is 0.
            codes.resize(cols.div_ceil(group) * group, 0);
        }
        output.bytes(&packed(&codes, anew.bits(), element))?;
        all.extend_from_slice(&scales);
    }
    output.named(format!("{}.codes", product.name), element, shape, start);
    output.numbers(format!("{}.scales", product.name), vec![all.len()], &all)
}

/// Bytes, or nibbles with the first in the low half: two's complement, or 8 above it where they are unsigned.
fn packed(codes: &[i8], bits: usize, element: ElementType) -> Vec<u8> {
    if bits == 8 {
        return codes.iter().map(|&code| code as u8).collect();
    }
    let bias = if element == ElementType::U8 { 8 } else { 0 };
    let nibble = |code: i8| (code + bias) as u8 & 15;
    let (pairs, _) = codes.as_chunks::<2>();
    pairs.iter().map(|&[low, high]| nibble(low) | nibble(high) << 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_are_unsigned_about_8_or_in_twos_complement() {
        let codes = [-8, 7, 0, -1];
        assert_eq!(packed(&codes, 4, ElementType::U8), [0xf0, 0x78]);
        assert_eq!(packed(&codes, 4, ElementType::I4), [0x78, 0xf0]);
        assert_eq!(packed(&codes, 8, ElementType::I8), [0xf8, 7, 0, 0xff]);
    }
}
