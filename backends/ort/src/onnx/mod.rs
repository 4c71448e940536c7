//! ONNX files: just enough of the format to write a graph whose weights lie in a file beside it.

mod graph;
mod wire;

pub(crate) use graph::{Attribute, Dim, ElementType, Graph, Stored};
