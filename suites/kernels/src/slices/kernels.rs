//! Which kernels the gate compares, each at one shape, and what tells their machine code apart.

use yardstick_api::slices::{Anchor, Kernel};
use yardstick_api::{Error, Numerics};
use yardstick_cpu::bench::{self, Slices, isas};
use yardstick_model::Format;

use crate::name::{Name, Operation, Shape};
use crate::work;

/// Rows and columns of weights in decode: a matrix of llama-3.2-1b, so long that a call streams it from beyond the L2 cache.
const DECODE: (usize, usize) = (2048, 2048);
/// Rows of a call in prefill: one task of a thread.
const PREFILL_ROWS: usize = 128;
/// Columns of a call in prefill; fewer for plain Rust, which is slower by more than that.
const PREFILL_COLUMNS: (usize, usize) = (256, 16);
/// Bytes of weights of all slices together: more than the last cache of most.
const ALL_BYTES: usize = 64 << 20;
/// Most slices.
const MOST: usize = 64;
/// Width of rows that are normed, quantised, ...
const WIDTH: usize = 2048;
/// Queries that share a key head, its width, and positions they see.
const ATTENTION: (usize, usize, usize) = (4, 64, 512);

/// The kernels of every instruction set of this processor, the best first.
pub(super) fn list() -> Vec<Name> {
    let usable = isas().into_iter().rev().filter(|(_, usable)| *usable);
    usable.flat_map(|(isa, _)| of_isa(isa)).collect()
}

fn of_isa(isa: &str) -> Vec<Name> {
    let mut all = Vec::new();
    let mut add = |format: &str, operation, shape| {
        all.push(Name { isa: isa.to_owned(), format: format.to_owned(), operation, shape });
    };
    let columns = if isa == "scalar" { PREFILL_COLUMNS.1 } else { PREFILL_COLUMNS.0 };
    for format in Format::ALL {
        let (rows, cols) = DECODE;
        let name = format.name();
        add(name, Operation::MatVec, Shape::Product { rows, cols, columns: 1 });
        add(name, Operation::Batch, Shape::Product { rows, cols, columns: 4 });
        let shape = Shape::Product { rows: PREFILL_ROWS, cols, columns };
        add(name, Operation::MatMat, shape);
        if format.block_len() > 1 {
            add(name, Operation::Requantised, shape);
        }
    }
    let (queries, dim, positions) = ATTENTION;
    for kv in ["F32", "F16", "Q8_0"] {
        add(kv, Operation::Attend, Shape::Attention { queries, dim, positions });
    }
    for operation in [
        Operation::RmsNorm,
        Operation::SiluTimes,
        Operation::Softmax,
        Operation::Rotary,
        Operation::QuantiseRow,
        Operation::QuantiseTile,
    ] {
        add("F32", operation, Shape::Row(WIDTH));
    }
    all
}

/// As the gate is told.
pub(super) fn describe(name: &Name) -> Result<Kernel, Error> {
    let (entries, root) = match name.shape {
        Shape::Product { columns, .. } => {
            let format = work::format(name)?;
            let entries = bench::entries(&name.isa, format, numerics(name), columns)?;
            (entries, "product_slices")
        }
        Shape::Attention { .. } => (Vec::new(), "attention_slices"),
        Shape::Row(_) => (Vec::new(), "elementwise_slices"),
    };
    let entries = entries.into_iter().map(|entry| entry as u64).collect();
    Ok(Kernel { name: name.to_string(), entries, roots: vec![format!("bench::{root}")] })
}

/// What addresses are held against.
pub(super) fn anchor() -> Anchor {
    let address = bench::anchor() as u64;
    Anchor { symbol: "bench::entries::marker".to_owned(), address }
}

/// Matrices there are of one product.
pub(super) fn matrices(name: &Name) -> Result<usize, Error> {
    match name.shape {
        Shape::Product { rows, cols, .. } => {
            let bytes = rows * work::format(name)?.row_bytes(cols);
            Ok((ALL_BYTES / bytes.max(1)).clamp(3, MOST))
        }
        _ => Err(Error::Invalid(format!("{name}: has no weights"))),
    }
}

/// All of their weights, as the kernel reads them.
pub(super) fn weights(name: &Name) -> Result<bench::Matrix, Error> {
    let Shape::Product { rows, cols, .. } = name.shape else {
        return Err(Error::Invalid(format!("{name}: has no weights")));
    };
    let (format, rows) = (work::format(name)?, rows * matrices(name)?);
    let bytes = work::weights(rows * format.row_bytes(cols));
    bench::packed(&name.isa, format, numerics(name), [rows, cols], &bytes)
}

/// The kernel; products on `weights`.
pub(super) fn ready(name: &Name, weights: Option<bench::Matrix>) -> Result<Box<dyn Slices>, Error> {
    match (name.shape, weights) {
        (Shape::Product { rows, cols, columns }, Some(weights)) => {
            let shape = [rows, cols, columns];
            bench::product_slices(&name.isa, work::format(name)?, numerics(name), shape, weights)
        }
        (Shape::Product { .. }, None) => {
            Err(Error::Invalid(format!("{name}: no file of weights; publish it first")))
        }
        (Shape::Attention { queries, dim, positions }, _) => {
            let shape = [queries, dim, positions];
            bench::attention_slices(&name.isa, work::kv(name)?, shape, MOST)
        }
        (Shape::Row(width), _) => {
            bench::elementwise_slices(&name.isa, work::elementwise(name)?, width)
        }
    }
}

fn numerics(name: &Name) -> Numerics {
    match name.operation {
        Operation::Requantised => Numerics::Requantised,
        _ => Numerics::A8,
    }
}
