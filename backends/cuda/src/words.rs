//! What facts say of the kernels and of the bytes a step reads.

use yardstick_model::Format;

use crate::forward::Engine;
use crate::repack::Packed;
use crate::weights::{Matrix, Product};

/// A format's name and the kernel that reads it.
pub(crate) fn kernel(format: Format) -> (String, String) {
    let words = match Packed::of(format) {
        None => "no kernel".to_owned(),
        Some(packed) if packed.is_dense() => "16-byte planes, f32 sums".to_owned(),
        Some(packed) if packed.name() == format.name() => {
            "16-byte planes, dp4a with activations in 8 bits".to_owned()
        }
        Some(packed) => {
            format!("16-byte planes of {}, dp4a with activations in 8 bits", packed.name())
        }
    };
    (format.name().to_owned(), words)
}

/// Weight bytes one decode step reads: every matrix as it lies on the device; of an embedding that is not the head, a row.
pub(crate) fn streamed(engine: &Engine) -> u64 {
    let bytes = |matrix: &Matrix| matrix.format.bytes(matrix.rows, matrix.cols);
    let of = |product: &Product| bytes(&product.matrix);
    let layers: u64 = engine
        .weights
        .layers
        .iter()
        .map(|layer| {
            let ffn = layer.gate.iter().chain([&layer.up, &layer.down]);
            layer.qkv.iter().chain([&layer.output]).chain(ffn).map(of).sum::<u64>()
        })
        .sum();
    layers + of(&engine.weights.head)
}
