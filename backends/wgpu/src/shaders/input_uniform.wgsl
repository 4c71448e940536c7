// Activations through a uniform binding: at most 64 KiB of them are in sight.
@group(0) @binding(4) var<uniform> x: array<vec4<f32>, 4096>;

// Nothing is held: the eight vec4s from `at` on are read one by one.
fn hold(at: u32, lane: u32) -> vec4<f32> {
    return vec4(0.0);
}

fn held0(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at];
}

fn held1(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 1u];
}

fn held2(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 2u];
}

fn held3(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 3u];
}

fn held4(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 4u];
}

fn held5(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 5u];
}

fn held6(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 6u];
}

fn held7(h: vec4<f32>, at: u32) -> vec4<f32> {
    return x[at + 7u];
}
