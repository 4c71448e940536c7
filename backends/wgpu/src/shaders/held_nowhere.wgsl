// Eight of x as they are asked for: nothing is held, each is read by itself.
fn hold(at: u32, lane: u32) -> vec4<f32> {
    return vec4(0.0);
}

// The vec4 `i` (0 to 7) from `at` on.
fn held(h: vec4<f32>, at: u32, i: u32) -> vec4<f32> {
    return x[at + i];
}
