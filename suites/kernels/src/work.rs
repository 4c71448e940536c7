//! What a bench does and reads, declared; and the kernel on made-up data.

use yardstick_api::{Error, KvType, Limit, Numerics};
use yardstick_cpu::bench::{self, Elementwise, Run};
use yardstick_model::Format;

use crate::name::{Name, Operation, Shape};

/// What one run of a kernel does, by its definition and not by what it happens to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Bytes it must read: the weights, the keys and values, or the values of a row; and of a row those it writes.
    pub bytes: u64,
    /// Multiplications and additions; `None` where they are not what bounds it.
    pub operations: Option<u64>,
    /// The arithmetic that bounds it.
    pub arithmetic: Option<Limit>,
}

/// What a bench does.
pub fn work(name: &Name) -> Result<Work, Error> {
    Ok(match name.shape {
        Shape::Product { rows, cols, columns } => {
            let format = format(name)?;
            Work {
                bytes: rows as u64 * format.row_bytes(cols) as u64,
                operations: Some(2 * rows as u64 * cols as u64 * columns as u64),
                arithmetic: Some(bench::arithmetic(&name.isa, format)?),
            }
        }
        Shape::Attention { queries, dim, positions } => {
            let elements = 2 * dim as u64 * positions as u64;
            Work {
                bytes: kv(name)?.bytes_of(elements),
                operations: Some(2 * queries as u64 * elements),
                arithmetic: Some(Limit::F32),
            }
        }
        Shape::Row(width) => {
            // Values read and written, in bytes a value.
            let each = match name.operation {
                Operation::RmsNorm => 4 + 4 + 4,
                Operation::SiluTimes => 4 + 4 + 4,
                Operation::QuantiseTile => 8 * (4 + 1),
                Operation::QuantiseRow => 4 + 1,
                _ => 4 + 4,
            };
            Work { bytes: each * width as u64, operations: None, arithmetic: None }
        }
    })
}

/// Rows of a matrix when a bench is only tried.
const TRIED_ROWS: usize = 32;

/// The kernel, ready to run on data of its own; `tried` cuts matrices to a few rows.
pub fn build(name: &Name, tried: bool) -> Result<Run, Error> {
    match name.shape {
        Shape::Product { rows, cols, columns } => {
            let format = format(name)?;
            let rows = if tried { rows.min(TRIED_ROWS) } else { rows };
            let bytes = weights(rows * format.row_bytes(cols));
            let numerics = match name.operation {
                Operation::Requantised => Numerics::Requantised,
                _ => Numerics::A8,
            };
            bench::product(&name.isa, format, numerics, [rows, cols, columns], bytes)
        }
        Shape::Attention { queries, dim, positions } => {
            bench::attention(&name.isa, kv(name)?, [queries, dim, positions])
        }
        Shape::Row(width) => bench::elementwise(&name.isa, elementwise(name)?, width),
    }
}

pub(crate) fn elementwise(name: &Name) -> Result<Elementwise, Error> {
    Ok(match name.operation {
        Operation::RmsNorm => Elementwise::RmsNorm,
        Operation::SiluTimes => Elementwise::SiluTimes,
        Operation::Softmax => Elementwise::Softmax,
        Operation::Rotary => Elementwise::Rotary,
        Operation::QuantiseRow => Elementwise::QuantiseRow,
        Operation::QuantiseTile => Elementwise::QuantiseTile,
        _ => return Err(Error::Invalid(format!("{name}: not an operation on a row"))),
    })
}

pub(crate) fn format(name: &Name) -> Result<Format, Error> {
    Format::from_name(&name.format)
        .ok_or_else(|| Error::Invalid(format!("{name}: no format {}", name.format)))
}

pub(crate) fn kv(name: &Name) -> Result<KvType, Error> {
    let found = KvType::ALL.into_iter().find(|kv| kv.name().eq_ignore_ascii_case(&name.format));
    found.ok_or_else(|| Error::Invalid(format!("{name}: no KV type {}", name.format)))
}

/// Bytes that are finite, normal weights in every format: no pair of them is an f16 (nor four an f32) with an exponent of
/// all zeros or all ones. The kernels' speed does not depend on the values otherwise.
pub(crate) fn weights(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length.next_multiple_of(8));
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend((state & 0x2F2F_2F2F_2F2F_2F2F | 0x1010_1010_1010_1010).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_work_is_what_the_shape_says() {
        let isa = bench::isas()[0].0;
        let cases = [
            ("Q4_0/matvec/2048x2048", 2048 * 64 * 18, Some(2 * 2048 * 2048)),
            ("Q8_0/matmat/576x1536x512", 576 * 48 * 34, Some(2 * 576 * 1536 * 512)),
            ("F16/attend/4x64@512", 2 * 64 * 512 * 2, Some(4 * 4 * 64 * 512)),
            ("F32/rms-norm/576", 12 * 576, None),
        ];
        for (rest, bytes, operations) in cases {
            let name: Name = format!("cpu/{isa}/{rest}").parse().unwrap();
            let work = work(&name).unwrap();
            assert_eq!((work.bytes, work.operations), (bytes, operations), "{name}");
        }
    }

    #[test]
    fn made_up_weights_are_finite_and_normal_in_every_format() {
        for format in Format::ALL {
            let bytes = weights(format.row_bytes(1024));
            let mut values = vec![0.0; 1024];
            format.decode(&bytes, &mut values);
            let fine = |v: &f32| v.is_finite() && (*v == 0.0 || v.is_normal());
            assert!(values.iter().all(fine), "{format:?}");
            assert!(values.iter().any(|v| *v != values[0]), "{format:?}");
        }
    }
}
