// Activations through a storage binding: as many as there are.
@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>;
