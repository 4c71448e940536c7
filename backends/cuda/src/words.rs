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

/// Weight bytes one decode step reads: every matrix as it lies on the device, of experts only those used; of an embedding
/// that is not the head, a row.
pub(crate) fn streamed(engine: &Engine) -> u64 {
    let bytes = |matrix: &Matrix| matrix.format.bytes(matrix.rows, matrix.cols);
    let of = |product: &Product| bytes(&product.matrix);
    let shapes = &engine.model.architecture().layers;
    let layers = engine.weights.layers.iter().zip(shapes).map(|(layer, shape)| {
        let attention: u64 = layer.qkv.iter().chain([&layer.output]).map(of).sum();
        let ffn: u64 = layer.gate.iter().chain([&layer.up, &layer.down]).map(of).sum();
        let Some((weights, experts)) = layer.experts.as_ref().zip(shape.ffn.experts) else {
            return attention + ffn;
        };
        let shared: u64 = weights.shared.iter().flatten().map(of).sum();
        let used = ffn / experts.count.max(1) as u64 * experts.used as u64;
        attention + used + shared + bytes(&weights.router)
    });
    layers.sum::<u64>() + of(&engine.weights.head)
}
