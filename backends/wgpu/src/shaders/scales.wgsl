// What scales a unit of 64 weights: w = d q + m for each group of 16 of them.
struct Scales {
    d: vec4<f32>,
    m: vec4<f32>,
}
