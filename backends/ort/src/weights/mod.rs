//! Weights as ONNX Runtime takes them: which products there are, how a format is carried, and the file they are written to.

mod cache;
mod carrier;
mod products;
mod rounded;
mod scales;
mod space;
mod write;

pub(crate) use cache::{Converted, Index, Ranges, WEIGHTS, bytes_needed, converted, streamed};
pub(crate) use carrier::{Carrier, Scheme};
pub(crate) use products::{halves_first, products, turned};
