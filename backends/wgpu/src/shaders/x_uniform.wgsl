// Activations through a uniform binding: at most 64 KiB of them are in sight.
@group(0) @binding(4) var<uniform> x: array<vec4<f32>, 4096>;
