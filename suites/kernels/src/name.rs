//! Names of benches: `cpu/avx512-vnni/Q4_0/matvec/2048x2048`. The gate finds a bench again by its name, so a name never
//! changes its meaning.

use std::fmt;
use std::str::FromStr;

/// A bench: `cpu/<instruction set>/<format>/<operation>/<shape>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Instruction set, as in a device id: `avx512-vnni`.
    pub isa: String,
    /// Format of the weights, of the KV cache, or `F32`.
    pub format: String,
    /// What is done.
    pub operation: Operation,
    /// To how much.
    pub shape: Shape,
}

/// What a bench does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is described in README.md")]
pub enum Operation {
    MatVec,
    Batch,
    MatMat,
    Requantised,
    Attend,
    RmsNorm,
    SiluTimes,
    Softmax,
    Rotary,
    QuantiseRow,
    QuantiseTile,
}

/// How large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// `rows x cols` of weights, and activations: `2048x2048`, `2048x2048x512`.
    Product {
        /// Rows of the matrix.
        rows: usize,
        /// Weights a row.
        cols: usize,
        /// Rows of activations.
        columns: usize,
    },
    /// `queries x width @ positions`: `4x64@512`.
    Attention {
        /// Queries that share a key head.
        queries: usize,
        /// Width of a head.
        dim: usize,
        /// Positions they see.
        positions: usize,
    },
    /// Values of a row: `2048`.
    Row(usize),
}

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of a bench: {reason}")]
pub struct NameError {
    text: String,
    reason: &'static str,
}

const OPERATIONS: &[(Operation, &str)] = &[
    (Operation::MatVec, "matvec"),
    (Operation::Batch, "batch"),
    (Operation::MatMat, "matmat"),
    (Operation::Requantised, "matmat-requantised"),
    (Operation::Attend, "attend"),
    (Operation::RmsNorm, "rms-norm"),
    (Operation::SiluTimes, "silu-times"),
    (Operation::Softmax, "softmax"),
    (Operation::Rotary, "rotary"),
    (Operation::QuantiseRow, "quantise-row"),
    (Operation::QuantiseTile, "quantise-tile"),
];

impl Operation {
    /// Its part of a name.
    pub fn name(self) -> &'static str {
        OPERATIONS.iter().find(|row| row.0 == self).map_or("?", |row| row.1)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Product { rows, cols, columns: 1 } => write!(f, "{rows}x{cols}"),
            Shape::Product { rows, cols, columns } => write!(f, "{rows}x{cols}x{columns}"),
            Shape::Attention { queries, dim, positions } => {
                write!(f, "{queries}x{dim}@{positions}")
            }
            Shape::Row(width) => write!(f, "{width}"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { isa, format, operation, shape } = self;
        write!(f, "cpu/{isa}/{format}/{}/{shape}", operation.name())
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        let wrong = |reason| NameError { text: text.to_owned(), reason };
        let parts: Vec<&str> = text.split('/').collect();
        let ["cpu", isa, format, operation, shape] = parts[..] else {
            return Err(wrong("expected cpu/ISA/FORMAT/OPERATION/SHAPE"));
        };
        let row = OPERATIONS.iter().find(|row| row.1 == operation);
        let operation = row.ok_or_else(|| wrong("no such operation"))?.0;
        let shape = parse_shape(operation, shape).ok_or_else(|| wrong("no such shape"))?;
        Ok(Name { isa: isa.to_owned(), format: format.to_owned(), operation, shape })
    }
}

fn parse_shape(operation: Operation, text: &str) -> Option<Shape> {
    let numbers = |text: &str| {
        text.split('x').map(|n| n.parse().ok().filter(|&n| n > 0)).collect::<Option<Vec<usize>>>()
    };
    let shape = match operation {
        Operation::MatVec | Operation::Batch | Operation::MatMat | Operation::Requantised => {
            match numbers(text)?[..] {
                [rows, cols] => Shape::Product { rows, cols, columns: 1 },
                [rows, cols, columns] => Shape::Product { rows, cols, columns },
                _ => return None,
            }
        }
        Operation::Attend => {
            let (heads, positions) = text.split_once('@')?;
            let [queries, dim] = numbers(heads)?[..] else { return None };
            let positions = positions.parse().ok().filter(|&n| n > 0)?;
            Shape::Attention { queries, dim, positions }
        }
        _ => match numbers(text)?[..] {
            [width] => Shape::Row(width),
            _ => return None,
        },
    };
    // `007` and `8x8x1` would be second names.
    (shape.to_string() == text).then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_name_is_refused_with_a_reason() {
        let cases = [
            ("", "expected cpu/ISA"),
            ("gpu/avx2/Q4_0/matvec/8x32", "expected cpu/ISA"),
            ("cpu/avx2/Q4_0/matvec", "expected cpu/ISA"),
            ("cpu/avx2/Q4_0/divide/8x32", "no such operation"),
            ("cpu/avx2/Q4_0/matvec/8", "no such shape"),
            ("cpu/avx2/Q4_0/matvec/08x32", "no such shape"),
            ("cpu/avx2/Q4_0/matvec/8x32x1", "no such shape"),
            ("cpu/avx2/Q4_0/matvec/0x32", "no such shape"),
            ("cpu/avx2/F16/attend/4x64", "no such shape"),
            ("cpu/avx2/F32/softmax/4x64", "no such shape"),
            ("cpu/avx2/F32/softmax/99999999999999999999999", "no such shape"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Name>().expect_err(text);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
