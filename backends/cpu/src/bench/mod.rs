//! Single kernels on made-up data, for suites/kernels: what one thread of a session calls, and nothing around it. Hidden
//! and without promises: nothing but the benches and the gate's slices there may use it.

mod attention;
mod elementwise;
mod entries;
mod product;

use yardstick_api::{Error, KvType, Limit, Numerics};
use yardstick_model::Format;

use crate::kernels::{Isa, Kernel};

#[cfg(test)]
pub(crate) use attention::layer;
pub use elementwise::Elementwise;
pub use entries::{all_entries, anchor, entries};
pub use product::{Matrix, packed};

/// Runs a kernel once.
pub type Run = Box<dyn FnMut()>;

/// A kernel with data in several places, none of which is in a cache because the last call read it.
pub trait Slices {
    /// Places there are, at least 1.
    fn count(&self) -> usize;
    /// One call on the data of one place, below [`Slices::count`].
    fn run(&mut self, slice: usize);
    /// Rows of a call, where a part of it can be run alone: what a known amount of extra work is made of.
    fn rows(&self) -> Option<usize> {
        None
    }
    /// Some of the rows of a call, from a multiple of 32 on; does nothing where [`Slices::rows`] is `None`.
    fn run_rows(&mut self, slice: usize, rows: std::ops::Range<usize>) {
        let _ = (slice, rows);
    }
    /// What the last call computed.
    fn output(&self) -> Vec<f32>;
}

/// Every instruction set there are kernels for, best last, and whether this processor has it.
pub fn isas() -> Vec<(&'static str, bool)> {
    Isa::all().into_iter().map(|(name, isa)| (name, isa.is_ok())).collect()
}

fn find(name: &str) -> Result<Isa, Error> {
    let found = Isa::all().into_iter().find(|(known, _)| *known == name);
    found
        .and_then(|(_, isa)| isa.ok())
        .ok_or_else(|| Error::Device(format!("this processor has no {name}")))
}

/// The arithmetic that bounds products of a format: 8-bit integers, or f32.
pub fn arithmetic(isa: &str, format: Format) -> Result<Limit, Error> {
    Ok(match Kernel::choose(format, find(isa)?, Numerics::A8) {
        Kernel::Integer(_) => Limit::Int8,
        Kernel::Float(_) => Limit::F32,
    })
}

/// `rows` rows of `cols` weights times `columns` columns of activations, which are in the kernel's form already.
pub fn product(
    isa: &str,
    format: Format,
    numerics: Numerics,
    shape: [usize; 3],
    bytes: Vec<u8>,
) -> Result<Run, Error> {
    let [rows, cols, _] = shape;
    let bytes = packed(isa, format, numerics, [rows, cols], &bytes)?;
    once(product_slices(isa, format, numerics, shape, bytes)?)
}

/// As [`product()`], on as many matrices as [`packed`] made the bytes of.
pub fn product_slices(
    isa: &str,
    format: Format,
    numerics: Numerics,
    shape: [usize; 3],
    matrices: Matrix,
) -> Result<Box<dyn Slices>, Error> {
    Ok(Box::new(product::Product::new(find(isa)?, format, numerics, shape, matrices)?))
}

/// `rows` queries of one key head, `dim` wide, over `positions` positions; the last rows see them all.
pub fn attention(isa: &str, kv: KvType, shape: [usize; 3]) -> Result<Run, Error> {
    once(attention_slices(isa, kv, shape, 1)?)
}

/// As [`attention()`], on the caches of so many sequences.
pub fn attention_slices(
    isa: &str,
    kv: KvType,
    shape: [usize; 3],
    count: usize,
) -> Result<Box<dyn Slices>, Error> {
    Ok(Box::new(attention::Attention::new(find(isa)?, kv, shape, count)?))
}

/// An operation on rows of `width`.
pub fn elementwise(isa: &str, operation: Elementwise, width: usize) -> Result<Run, Error> {
    once(elementwise_slices(isa, operation, width)?)
}

/// As [`elementwise()`]; one row only, which fits every cache.
pub fn elementwise_slices(
    isa: &str,
    operation: Elementwise,
    width: usize,
) -> Result<Box<dyn Slices>, Error> {
    elementwise::row(find(isa)?, operation, width)
}

fn once(mut slices: Box<dyn Slices>) -> Result<Run, Error> {
    Ok(Box::new(move || slices.run(0)))
}

/// Numbers between -1 and 1, none of them tiny.
fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + 11) % 200) as f32 / 100.0 - 0.995).collect()
}
