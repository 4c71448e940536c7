// Activations in 8 bits: the records of quantise.wgsl.
@group(0) @binding(4) var<storage, read> x: array<vec4<u32>>;
